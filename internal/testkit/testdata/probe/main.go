// Command probe is the only program in the test images: it tells what a RUN step sees.
//
//	probe see THING [ARGUMENT] FILE   write what is asked for into FILE
//	probe meet ADDRESS NAME           say NAME there and wait for leave to go on
//	probe print FILE...               write files to the output, a byte at a time
//	probe stamp TIME FILE             write FILE as of the Unix time in the file TIME
//	probe scan                        write the SBOM that BuildKit asks its scanner for
//	probe fail TEXT                   end with code 7
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(7)
	}
}

func run(args []string) error {
	switch args[0] {
	case "see":
		text, err := see(args[1 : len(args)-1])
		if err != nil {
			return err
		}
		file := args[len(args)-1]
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		return os.WriteFile(file, []byte(text), 0o644)
	case "meet":
		return meet(args[1], args[2])
	case "print":
		return printFiles(args[1:])
	case "stamp":
		return stamp(args[1], args[2])
	case "scan":
		return os.WriteFile(filepath.Join(os.Getenv("BUILDKIT_SCAN_DESTINATION"), "probe.spdx.json"), []byte(sbom), 0o644)
	default:
		return errors.New(strings.Join(args, " "))
	}
}

// sbom is an SBOM without packages ("SBOM protocol" in the BuildKit documentation).
const sbom = `{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://spdx.dev/Document","predicate":{"spdxVersion":"SPDX-2.3","packages":[]}}`

// stamp gives the file and its directory the time.
func stamp(timeFile, file string) error {
	text, err := os.ReadFile(timeFile)
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte("stamped"), 0o644); err != nil {
		return err
	}
	when := time.Unix(seconds, 0)
	return errors.Join(os.Chtimes(file, when, when), os.Chtimes(filepath.Dir(file), when, when))
}

// printFiles writes small pieces, so that an engine cuts the output anywhere.
func printFiles(files []string) error {
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for i := range data {
			if _, err := os.Stdout.Write(data[i : i+1]); err != nil {
				return err
			}
		}
	}
	return nil
}

func see(args []string) (string, error) {
	switch args[0] {
	case "file":
		data, err := os.ReadFile(args[1])
		return string(data), err
	case "env":
		return os.Getenv(args[1]), nil
	case "time":
		return time.Now().Format(time.RFC3339Nano), nil
	case "core":
		var l syscall.Rlimit
		err := syscall.Getrlimit(syscall.RLIMIT_CORE, &l)
		return fmt.Sprintf("%d:%d", l.Cur, l.Max), err
	case "shm":
		var fs syscall.Statfs_t
		err := syscall.Statfs("/dev/shm", &fs)
		return fmt.Sprint(fs.Blocks * uint64(fs.Bsize)), err
	case "interfaces":
		list, err := net.Interfaces()
		var names []string
		for _, i := range list {
			names = append(names, i.Name)
		}
		return strings.Join(names, " "), err
	case "agent":
		return agent()
	default:
		return "", fmt.Errorf("what is %v", args)
	}
}

// agent asks the ssh agent for its keys (RFC draft-miller-ssh-agent, section 4.4) and
// returns how many there are.
func agent() (string, error) {
	conn, err := net.Dial("unix", os.Getenv("SSH_AUTH_SOCK"))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	const requestIdentities, identitiesAnswer = 11, 12
	if _, err := conn.Write([]byte{0, 0, 0, 1, requestIdentities}); err != nil {
		return "", err
	}
	var head [9]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return "", err
	}
	if head[4] != identitiesAnswer {
		return "", fmt.Errorf("the agent answers %d", head[4])
	}
	return fmt.Sprint(binary.BigEndian.Uint32(head[5:])), nil
}

func meet(addr, name string) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := fmt.Fprintln(conn, name); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		return fmt.Errorf("no leave to go on: %w", err)
	}
	return nil
}
