package source

import (
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
)

// TestArrivals receives progress late, twice and at the same time, and reports it
// once and in order.
func TestArrivals(t *testing.T) {
	var reported []int64
	a := &arrivals{tell: func(n int64) { reported = append(reported, n) }}
	for _, n := range []int64{1, 3, 2, 3} {
		a.OnObjectBytesTransferred(t.Context(), &transfermanager.ObjectBytesTransferredEvent{BytesTransferred: n})
	}
	if !slices.Equal(reported, []int64{1, 3}) {
		t.Errorf("reported %d", reported)
	}
	var g sync.WaitGroup
	for n := range int64(50) {
		g.Go(func() {
			a.OnObjectBytesTransferred(t.Context(), &transfermanager.ObjectBytesTransferredEvent{BytesTransferred: n + 4})
		})
	}
	g.Wait()
	if !slices.IsSorted(reported) || reported[len(reported)-1] != 53 {
		t.Errorf("reported %d", reported)
	}
}
