package s3

import (
	"strings"
	"testing"
)

func FuzzReadAWSChunked(f *testing.F) {
	f.Add("4\r\nabcd\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n")
	f.Add("1;chunk-signature=ab\r\nx\r\n0;chunk-signature=cd\r\n\r\n")
	f.Fuzz(func(t *testing.T, s string) {
		body, _, err := readAWSChunked(strings.NewReader(s))
		if err == nil && len(body) > len(s) {
			t.Errorf("%q gave %d bytes", s, len(body))
		}
	})
}

func FuzzReadBucketLifecycle(f *testing.F) {
	f.Add(`<LifecycleConfiguration><Rule><Status>Enabled</Status><Prefix>a</Prefix><Expiration><Days>7</Days></Expiration></Rule></LifecycleConfiguration>`)
	f.Fuzz(func(t *testing.T, s string) {
		document, err := readLifecycle(strings.NewReader(s))
		if err != nil {
			return
		}
		for _, r := range document.Children {
			if r.text("ID") == "" {
				t.Errorf("%q has a rule without an ID", s)
			}
		}
	})
}
