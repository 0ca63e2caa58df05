package source

import (
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
)

// TestArrivals gets the news late, twice and at once, and tells it once and in
// order.
func TestArrivals(t *testing.T) {
	var told []int64
	a := &arrivals{tell: func(n int64) { told = append(told, n) }}
	for _, n := range []int64{1, 3, 2, 3} {
		a.OnObjectBytesTransferred(t.Context(), &transfermanager.ObjectBytesTransferredEvent{BytesTransferred: n})
	}
	if !slices.Equal(told, []int64{1, 3}) {
		t.Errorf("told %d", told)
	}
	var g sync.WaitGroup
	for n := range int64(50) {
		g.Go(func() {
			a.OnObjectBytesTransferred(t.Context(), &transfermanager.ObjectBytesTransferredEvent{BytesTransferred: n + 4})
		})
	}
	g.Wait()
	if !slices.IsSorted(told) || told[len(told)-1] != 53 {
		t.Errorf("told %d", told)
	}
}
