// Command tool is what the benchmark's images run while they are built: it
// takes a fixed amount of work and writes files of a fixed size, the same for
// the same seed. About half of their bytes can be compressed away.
package main

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

func main() {
	seed := flag.Uint64("seed", 1, "the text that distinguishes the output from another service's")
	dir := flag.String("dir", "/data", "where to write")
	files := flag.Int("files", 20, "how many files of one MB to write")
	work := flag.Int("work", 500, "how many MB to hash")
	pause := flag.Duration("pause", 0, "how long to wait first, as for a download")
	flag.Parse()
	time.Sleep(*pause)
	if err := run(*seed, *dir, *files, *work); err != nil {
		fmt.Fprintln(os.Stderr, "tool:", err)
		os.Exit(1)
	}
}

func run(seed uint64, dir string, files, work int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range files {
		name := filepath.Join(dir, fmt.Sprintf("%03d", i))
		if err := os.WriteFile(name, megabyte(r), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "sum"), burn(work), 0o644)
}

// block is the size of the pieces that are by turns random and all the same.
const block = 4 << 10

func megabyte(r *rand.Rand) []byte {
	random := make([]byte, block)
	var b bytes.Buffer
	for b.Len() < 1<<20 {
		for i := range random {
			random[i] = byte(r.Uint32())
		}
		b.Write(random)
		b.Write(bytes.Repeat([]byte{'s'}, block))
	}
	return b.Bytes()
}

// burn keeps one core busy and returns what came out, so that no compiler can
// leave the work out.
func burn(megabytes int) []byte {
	data := make([]byte, 1<<20)
	for range megabytes {
		sum := sha256.Sum256(data)
		copy(data, sum[:])
	}
	return fmt.Appendf(nil, "%x\n", data[:sha256.Size])
}
