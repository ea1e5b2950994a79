package zone

import "testing"

// Names in presentation format are read, or refused, without a panic, and stand in the tree where a query finds them.
func FuzzNames(f *testing.F) {
	for _, text := range []string{"hello.example.test", "Example.TEST.", `a\.b\000.example.test`, `\`, "..", ".", ""} {
		f.Add(text)
	}
	o := testOrigin(f)
	f.Fuzz(func(t *testing.T, text string) {
		n, err := o.parse(text)
		if err != nil {
			return
		}
		lower, end, ok := ReadName(nil, []byte(n.wire), 0)
		if !ok || end != len(n.wire) || string(lower) != n.wire {
			t.Fatalf("%q has the wire form %x, which reads as %x", text, n.wire, lower)
		}
		length, inside := o.below(lower)
		if inside != n.inside || inside && string(appendKey(nil, lower[:length])) != n.key {
			t.Fatalf("%q is not found at its key %q", text, n.key)
		}
	})
}
