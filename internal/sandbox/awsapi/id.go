package awsapi

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math/big"
)

// HexID returns a random ID of n bytes, in hexadecimal digits.
func HexID(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // crypto/rand never fails
	return hex.EncodeToString(b)
}

// UUID returns a random UUID.
func UUID() string {
	h := HexID(16)
	return fmt.Sprintf("%s-%s-4%s-a%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:])
}

// Digits returns a random number of 19 digits, as in
// ecs-svc/3655491201181722786.
func Digits() string {
	n, err := rand.Int(rand.Reader, big.NewInt(8e18))
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	return fmt.Sprint(n.Int64() + 1e18)
}
