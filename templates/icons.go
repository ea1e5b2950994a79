package templates

// outline is the path of an icon on a grid of 24 by 24.
func outline(name string) string {
	switch name {
	case "site":
		return "M4 6h16v12H4zM4 10h16M7 8h.01M10 8h.01"
	case "status":
		return "M4 14a8 8 0 0 1 16 0M12 14l3.5-4M6 18h12"
	case "all":
		return "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z"
	case "zone":
		return "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM3.5 9.5h17M3.5 14.5h17M12 3c-5 5.500-5 12.500 0 18M12 3c5 5.500 5 12.500 0 18"
	case "people":
		return "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20a6.5 6.5 0 0 1 13 0M16 4.3a3.5 3.5 0 0 1 0 6.4M18 14.5a6.5 6.5 0 0 1 3.5 5.5"
	case "person":
		return "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.5a7.5 7.5 0 0 1 15 0"
	case "activity":
		return "M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01"
	case "check":
		return "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM8 12.2l2.7 2.7L16 9.5"
	case "alert":
		return "M12 4 2.8 19.5h18.4zM12 10v4.5M12 17h.01"
	case "info":
		return "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 11v5.5M12 7.7h.01"
	case "upload":
		return "M12 15.5V4.5M7.5 9 12 4.5 16.5 9M4.5 15v3a2 2 0 0 0 2 2h11a2 2 0 0 0 2-2v-3"
	case "lock":
		return "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3"
	case "out":
		return "M13.5 5H19v5.5M19 5l-8 8M10 6H6.5A1.5 1.5 0 0 0 5 7.5v10A1.5 1.5 0 0 0 6.5 19h10a1.5 1.5 0 0 0 1.5-1.5V14"
	case "plus":
		return "M12 5v14M5 12h14"
	case "back":
		return "M19 12H5.5M11 6l-6 6 6 6"
	case "dot":
		return "M12 12.5h.01"
	}
	return ""
}
