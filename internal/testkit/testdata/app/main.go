// Command app is the program of images whose containers run in tests:
//
//	app serve ADDRESS       answers $ANSWER to every request, until SIGTERM
//	app ignore-term ADDRESS serves, and does not end at SIGTERM
//	app check URL           fails unless URL answers 200
//	app exit CODE TEXT      writes TEXT to standard error and ends with CODE
//	app eat                 takes memory until it is killed
//	app show                writes its arguments, environment, user and directory
//	app touch FILE          makes a file
//	app find FILE           fails unless there is a file
//	app wait                waits for SIGTERM
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM, syscall.SIGQUIT)
	switch os.Args[1] {
	case "serve":
		go serve(os.Args[2])
		fmt.Println("ended by", <-terminated)
	case "ignore-term":
		serve(os.Args[2])
	case "wait":
		fmt.Println("waiting")
		fmt.Println("ended by", <-terminated)
	case "check":
		resp, err := http.Get(os.Args[2])
		if err != nil || resp.StatusCode != http.StatusOK {
			os.Exit(1)
		}
	case "exit":
		fmt.Fprintln(os.Stderr, os.Args[3])
		code, _ := strconv.Atoi(os.Args[2])
		os.Exit(code)
	case "eat":
		var all [][]byte
		for {
			page := make([]byte, 1<<20)
			for i := range page {
				page[i] = 1
			}
			all = append(all, page)
		}
	case "show":
		show()
	case "find":
		if _, err := os.Stat(os.Args[2]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	case "touch":
		if err := os.WriteFile(os.Args[2], nil, 0o644); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}

func serve(address string) {
	fmt.Println("listening on", address)
	err := http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, os.Getenv("ANSWER"))
	}))
	fmt.Println(err)
	os.Exit(1)
}

func show() {
	groups, _ := os.Getgroups()
	dir, _ := os.Getwd()
	fmt.Println("args", strings.Join(os.Args[1:], " "))
	fmt.Println("user", os.Getuid(), os.Getgid(), groups)
	fmt.Println("directory", dir)
	for _, line := range os.Environ() {
		fmt.Println("env", line)
	}
}
