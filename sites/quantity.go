package sites

import (
	"fmt"
	"strconv"
	"strings"
)

// Size is a number of bytes for people, in steps of 1024: "1 byte", "812 bytes", "3.2 MB", "147 KB".
func Size(bytes int64) string {
	if bytes < 1<<10 {
		return Plural(int(bytes), "byte")
	}
	value, units := float64(bytes)/(1<<10), []string{"KB", "MB", "GB", "TB", "PB", "EB"}
	for value >= 1023.5 {
		value, units = value/(1<<10), units[1:]
	}
	digits := 1
	if value >= 99.95 {
		digits = 0
	}
	return fmt.Sprintf("%s %s", strings.TrimSuffix(strconv.FormatFloat(value, 'f', digits, 64), ".0"), units[0])
}

// Plural is a count with its noun, for people: "1 byte", "2 bytes".
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
