// Package lint holds the rules that `make check` runs, and pins the programs
// that run them: import rules for depguard (imports.toml), and the words of the
// text (english.txt). Its tests show that the rules can fail.
package lint
