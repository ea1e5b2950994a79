package main

import (
	"bytes"
	"context"

	"github.com/a-h/templ"

	"berth/proxy"
	"berth/templates"
)

// visitorPages renders what the edge says to visitors; package proxy knows no templates.
type visitorPages struct{}

func (visitorPages) TooLarge(host string, mostMB int) []byte {
	return rendered(templates.VisitorTooLarge(host, mostMB))
}

func (visitorPages) Page(kind proxy.PageKind, host string) []byte {
	var page templ.Component
	switch kind {
	case proxy.PageStopped:
		page = templates.VisitorStopped(host)
	case proxy.PagePlaceholder:
		page = templates.VisitorPlaceholder(host)
	case proxy.PageStarting:
		page = templates.VisitorStarting(host)
	case proxy.PageInstanceDown:
		page = templates.VisitorDown(host)
	case proxy.PageMaintenance:
		page = templates.VisitorMaintenance(host)
	case proxy.PageUnauthorized:
		page = templates.VisitorUnauthorized(host)
	case proxy.PageForbidden:
		page = templates.VisitorForbidden(host)
	case proxy.PageTooMany:
		page = templates.VisitorTooMany(host)
	default:
		page = templates.VisitorUnknownHost(host)
	}
	return rendered(page)
}

func rendered(page templ.Component) []byte {
	var out bytes.Buffer
	_ = page.Render(context.Background(), &out) // a buffer takes everything
	return out.Bytes()
}

func (visitorPages) Policy() string { return templates.VisitorPolicy() }
