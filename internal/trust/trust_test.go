package trust

import "testing"

func TestReserved(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"pr12-1a2b3c4d5e6f":                true,
		"pr12-1a2b3c4d5e6f.2":              true,
		"pr12-1a2b3c4d5e6f-dirty-0a1b2c3d": true,
		"pr0-x":                            true,
		"pr99999999999999999999-x":         true,
		"untrusted-1a2b3c4d5e6f":           true,
		"1a2b3c4d5e6f":                     false,
		"pr12":                             false,
		"pr12.2":                           false,
		"pr-12":                            false,
		"PR12-x":                           false,
		"xpr12-x":                          false,
		"preview-1":                        false,
		"untrusted":                        false,
		"":                                 false,
	} {
		if got := Reserved(name); got != want {
			t.Errorf("Reserved(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestPrefixIsReserved(t *testing.T) {
	t.Parallel()
	for number, want := range map[int]string{12: "pr12-", 0: "untrusted-", -1: "untrusted-"} {
		if got := Prefix(number); got != want || !Reserved(got+"x") {
			t.Errorf("Prefix(%d) = %q, want %q, and Reserved", number, got, want)
		}
	}
}
