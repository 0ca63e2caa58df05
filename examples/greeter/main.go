// Command greeter answers requests that have the right code with the greeting of its
// environment. With the argument check and a URL it is the health check of its own
// container, with migrate the one-off task before a rollout.
package main

import (
	"cmp"
	"crypto/subtle"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// version is set by the build: go build -ldflags "-X main.version=2".
var version = "1"

func main() {
	switch args := os.Args[1:]; {
	case len(args) == 0:
		fmt.Fprintln(os.Stderr, serve(os.Getenv("GREETING"), code()))
		os.Exit(1)
	case args[0] == "migrate":
		fmt.Printf("version %s has nothing to migrate: greetings are not stored\n", version)
	case args[0] == "check" && len(args) == 2 && isHealthy(args[1]):
	default:
		os.Exit(1)
	}
}

// code returns the code: a variable on ECS, a file with docker compose.
func code() string {
	file, _ := os.ReadFile("/run/secrets/GREETER_CODE")
	return cmp.Or(os.Getenv("GREETER_CODE"), strings.TrimSpace(string(file)))
}

// serve answers requests until it fails.
func serve(greeting, code string) error {
	if greeting == "" {
		return fmt.Errorf("GREETING is not set: there is nothing to answer")
	}
	if code == "" {
		return fmt.Errorf("GREETER_CODE is not set: no request could be answered")
	}
	http.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "healthy") })
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.URL.Query().Get("code")), []byte(code)) == 0 {
			http.Error(w, "the code is missing or wrong", http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, "%s, from version %s\n", greeting, version)
	})
	fmt.Println("listening on port 8080")
	return http.ListenAndServe(":8080", nil)
}

// isHealthy reports whether a URL answers with status 200.
func isHealthy(url string) bool {
	resp, err := http.Get(url)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
