package templates

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// lowContrast lists texts whose contrast with what lies behind them is under WCAG's AA.
const lowContrast = `(() => {
	const parts = (color) => { const n = color.match(/[\d.]+/g).map(Number); return n.length === 3 ? [...n, 1] : n; };
	const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
	const behind = (e) => e ? over(parts(getComputedStyle(e).backgroundColor), behind(e.parentElement)) : [255, 255, 255, 1];
	const light = (c) => { const [r, g, b] = c.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	return [...document.querySelectorAll("body *")].filter((e) => e.getClientRects().length && !e.closest("svg, :disabled") && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
		.map((e) => { const ground = behind(e), a = light(over(parts(getComputedStyle(e).color), ground)), b = light(ground);
			return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.textContent.trim().slice(0, 40)]; })
		.filter(([ratio]) => ratio < 4.5).map(([ratio, text]) => ratio.toFixed(2) + " " + text).join("; ");
})()`

func TestContrast(t *testing.T) {
	ctx := browser(t)
	list := documents()
	server := serve(t, list)
	for _, theme := range []string{"light", "dark"} {
		media := emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}})
		for _, p := range list {
			var low string
			if err := chromedp.Run(ctx, media, chromedp.Navigate(server.URL+"/page/"+p.name), chromedp.Evaluate(lowContrast, &low)); err != nil {
				t.Fatalf("%s: %v", p.name, err)
			}
			if low != "" {
				t.Errorf("%s in %s: %s", p.name, theme, low)
			}
		}
	}
}
