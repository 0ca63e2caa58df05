// Command greeter answers requests with the greeting of its environment. With the
// argument check it is the health check of its own container.
package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "check" {
		check()
		return
	}
	greeting := os.Getenv("GREETING")
	if greeting == "" {
		fmt.Fprintln(os.Stderr, "GREETING is not set: there is nothing to answer")
		os.Exit(1)
	}
	fmt.Println("listening on port 8080")
	err := http.ListenAndServe(":8080", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, greeting)
	}))
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// check ends with 1 if the server does not answer.
func check() {
	resp, err := http.Get("http://127.0.0.1:8080/")
	if err != nil || resp.StatusCode != http.StatusOK {
		os.Exit(1)
	}
}
