package bundle

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkExtract unpacks a site of many small files and one of few large ones, to disk, and refuses a bomb.
func BenchmarkExtract(b *testing.B) {
	text := prose(8 << 10)
	var small, large []entry
	for i := range 2000 {
		small = append(small, deflated(fmt.Sprintf("docs/part%d/page%d.html", i/50, i), text))
	}
	for i := range 4 {
		large = append(large, deflated(fmt.Sprintf("video%d.bin", i), strings.Repeat(text, 1<<10)))
	}
	for name, entries := range map[string][]entry{"2000x8KB": small, "4x8MB": large} {
		b.Run(name, func(b *testing.B) {
			parent := b.TempDir()
			archive := putArchive(b, parent, zipOf(entries...))
			dir := filepath.Join(parent, "out")
			b.ReportAllocs()
			for b.Loop() {
				report, err := Extract(b.Context(), archive, dir, DefaultLimits())
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(report.Bytes)
				b.StopTimer()
				if err := os.RemoveAll(dir); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

// BenchmarkRefuse is what a full table of contents costs before its last entry is refused.
func BenchmarkRefuse(b *testing.B) {
	entries := append(many(DefaultLimits().Files-1, "img/%d.png"), stored("../x", ""))
	parent := b.TempDir()
	archive := putArchive(b, parent, zipOf(entries...))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Extract(b.Context(), archive, filepath.Join(parent, "out"), DefaultLimits()); err == nil {
			b.Fatal("accepted")
		}
	}
}

// prose is text that compresses as pages do.
func prose(n int) string {
	words := strings.Fields("the quick brown fox jumps over a lazy dog and then it <p> </p> sleeps in hay")
	r := rand.New(rand.NewPCG(1, 2))
	var out strings.Builder
	for out.Len() < n {
		out.WriteString(words[r.IntN(len(words))])
		out.WriteByte(' ')
	}
	return out.String()[:n]
}
