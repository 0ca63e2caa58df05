package s3

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"strings"
)

// nvmePolynomial is that of CRC-64/NVME, bits reversed as hash/crc64 wants it.
const nvmePolynomial = 0x9a6c9329ac4bc9b5

// checksums by the header, or trailer, that carries them; see "Checking object
// integrity" in the S3 user guide.
var checksums = map[string]func() hash.Hash{
	"X-Amz-Checksum-Crc32":     func() hash.Hash { return crc32.NewIEEE() },
	"X-Amz-Checksum-Crc32c":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	"X-Amz-Checksum-Crc64nvme": func() hash.Hash { return crc64.New(crc64.MakeTable(nvmePolynomial)) },
	"X-Amz-Checksum-Sha1":      sha1.New,
	"X-Amz-Checksum-Sha256":    sha256.New,
	"X-Amz-Checksum-Sha512":    sha512.New,
	"X-Amz-Checksum-Md5":       md5.New,
}

// claimedSums has the checksums that came with a request, by header.
type claimedSums map[string]string

func (c claimedSums) verify(body []byte) error {
	for name, want := range c {
		h := checksums[name]()
		_, _ = h.Write(body) // a hash takes everything
		if got := base64.StdEncoding.EncodeToString(h.Sum(nil)); got != want {
			return &apiError{http.StatusBadRequest, "BadDigest",
				fmt.Sprintf("The %s you specified did not match the calculated checksum %s.", strings.ToLower(name), got)}
		}
	}
	return nil
}

func (c claimedSums) collect(h map[string][]string) {
	for name, values := range h {
		if _, ok := checksums[name]; ok && len(values) > 0 {
			c[name] = values[0]
		}
	}
}

// readBody reads a request's body, plain or in one of the aws-chunked forms
// (signed or not, with trailing checksums or without).
func readBody(r *http.Request) ([]byte, claimedSums, error) {
	sums := claimedSums{}
	sums.collect(r.Header)
	if !strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, nil, incomplete(err)
		}
		return body, sums, nil
	}
	body, trailer, err := readAWSChunked(r.Body)
	if err != nil {
		return nil, nil, incomplete(err)
	}
	sums.collect(trailer)
	if want := r.Header.Get("X-Amz-Decoded-Content-Length"); want != "" && want != fmt.Sprint(len(body)) {
		return nil, nil, incomplete(fmt.Errorf("%d bytes came, %s were announced", len(body), want))
	}
	return body, sums, nil
}

func incomplete(err error) error {
	return &apiError{http.StatusBadRequest, "IncompleteBody", "The request body is not whole: " + err.Error()}
}

// readAWSChunked decodes HTTP-like chunks, whose signatures are extensions,
// and the trailer after them.
func readAWSChunked(r io.Reader) ([]byte, map[string][]string, error) {
	buffered := bufio.NewReader(r)
	body, err := io.ReadAll(httputil.NewChunkedReader(buffered))
	if err != nil {
		return nil, nil, err
	}
	trailer, err := textproto.NewReader(buffered).ReadMIMEHeader()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("trailer: %w", err)
	}
	return body, trailer, nil
}

// readCloser is a body in memory.
type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }
