package sites

import "testing"

func TestSize(t *testing.T) {
	for bytes, want := range map[int64]string{
		0: "0 bytes", 1: "1 byte", 1023: "1023 bytes", 1 << 10: "1 KB", 1500: "1.5 KB", 150_147: "147 KB", 1<<20 - 1: "1 MB",
		3_400_000: "3.2 MB", 250 << 20: "250 MB", 5 << 30: "5 GB", 1<<63 - 1: "8 EB",
	} {
		if got := Size(bytes); got != want {
			t.Errorf("%d bytes: %q, want %q", bytes, got, want)
		}
	}
}
