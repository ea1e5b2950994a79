package panel

import (
	"fmt"
	"image/color"
	"strings"

	"github.com/boombuler/barcode/qr"

	"berth/templates"
)

// qrMargin is the light border that readers need, in modules (ISO/IEC 18004).
const qrMargin = 4

// drawQR encodes text with medium error correction.
func drawQR(text string) (templates.QR, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return templates.QR{}, fmt.Errorf("draw QR code: %w", err)
	}
	size := code.Bounds().Dx()
	var path strings.Builder
	for y := range size {
		for x := range size {
			if code.At(x, y) == color.Black {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x+qrMargin, y+qrMargin)
			}
		}
	}
	return templates.QR{Size: size + 2*qrMargin, Path: path.String()}, nil
}
