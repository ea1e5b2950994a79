package static

import (
	"path"
	"strings"
)

// typeByName returns the content type of a file, empty where its name does not tell. The list is our own: package
// mime adds what the machine's files say, and a container of berth has none.
func typeByName(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".html", ".htm":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js", ".mjs", ".cjs":
		return "text/javascript; charset=utf-8"
	case ".txt", ".text", ".log":
		return "text/plain; charset=utf-8"
	case ".md", ".markdown":
		return "text/markdown; charset=utf-8"
	case ".csv":
		return "text/csv; charset=utf-8"
	case ".vtt":
		return "text/vtt; charset=utf-8"
	case ".ics":
		return "text/calendar; charset=utf-8"
	case ".vcf":
		return "text/vcard; charset=utf-8"
	case ".xml", ".xsl", ".xslt":
		return "text/xml; charset=utf-8"
	case "":
		return typeWithoutExtension(name)
	}
	return typeOfData(strings.ToLower(path.Ext(name)))
}

// typeWithoutExtension knows the files that a standard names without one.
func typeWithoutExtension(name string) string {
	if path.Base(name) == "apple-app-site-association" {
		return "application/json"
	}
	return ""
}

// typeOfData is typeByName for what is not text, or is text that says itself how it is encoded.
func typeOfData(ext string) string {
	switch ext {
	case ".json", ".map":
		return "application/json"
	case ".jsonld":
		return "application/ld+json"
	case ".geojson":
		return "application/geo+json"
	case ".webmanifest":
		return "application/manifest+json"
	case ".wasm":
		return "application/wasm"
	case ".rss":
		return "application/rss+xml"
	case ".atom":
		return "application/atom+xml"
	case ".xhtml", ".xht":
		return "application/xhtml+xml"
	case ".rdf":
		return "application/rdf+xml"
	case ".pdf":
		return "application/pdf"
	case ".rtf":
		return "application/rtf"
	case ".epub":
		return "application/epub+zip"
	}
	if t := typeOfMedia(ext); t != "" {
		return t
	}
	return typeOfDownload(ext)
}

// typeOfMedia is typeByName for pictures, fonts, sound, film and models.
func typeOfMedia(ext string) string {
	switch ext {
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg", ".jfif":
		return "image/jpeg"
	case ".gif":
		return "image/gif"
	case ".webp":
		return "image/webp"
	case ".avif":
		return "image/avif"
	case ".apng":
		return "image/apng"
	case ".jxl":
		return "image/jxl"
	case ".heic":
		return "image/heic"
	case ".ico", ".cur":
		return "image/vnd.microsoft.icon"
	case ".bmp":
		return "image/bmp"
	case ".tif", ".tiff":
		return "image/tiff"
	case ".woff2":
		return "font/woff2"
	case ".woff":
		return "font/woff"
	case ".ttf":
		return "font/ttf"
	case ".otf":
		return "font/otf"
	case ".ttc":
		return "font/collection"
	case ".eot":
		return "application/vnd.ms-fontobject"
	case ".glb":
		return "model/gltf-binary"
	case ".gltf":
		return "model/gltf+json"
	}
	return typeOfStream(ext)
}

func typeOfStream(ext string) string {
	switch ext {
	case ".mp3":
		return "audio/mpeg"
	case ".m4a":
		return "audio/mp4"
	case ".aac":
		return "audio/aac"
	case ".oga", ".ogg", ".opus":
		return "audio/ogg"
	case ".wav":
		return "audio/wav"
	case ".flac":
		return "audio/flac"
	case ".weba":
		return "audio/webm"
	case ".mid", ".midi":
		return "audio/midi"
	case ".mp4", ".m4v":
		return "video/mp4"
	case ".webm":
		return "video/webm"
	case ".ogv":
		return "video/ogg"
	case ".mov":
		return "video/quicktime"
	case ".avi":
		return "video/x-msvideo"
	case ".mkv":
		return "video/x-matroska"
	case ".ts":
		return "video/mp2t"
	case ".m3u8":
		return "application/vnd.apple.mpegurl"
	case ".mpd":
		return "application/dash+xml"
	}
	return ""
}

func typeOfDownload(ext string) string {
	switch ext {
	case ".zip":
		return "application/zip"
	case ".gz", ".tgz":
		return "application/gzip"
	case ".br":
		return "application/x-brotli"
	case ".zst":
		return "application/zstd"
	case ".bz2":
		return "application/x-bzip2"
	case ".xz":
		return "application/x-xz"
	case ".tar":
		return "application/x-tar"
	case ".7z":
		return "application/x-7z-compressed"
	case ".rar":
		return "application/vnd.rar"
	case ".jar":
		return "application/java-archive"
	case ".apk":
		return "application/vnd.android.package-archive"
	case ".doc":
		return "application/msword"
	case ".xls":
		return "application/vnd.ms-excel"
	case ".ppt":
		return "application/vnd.ms-powerpoint"
	case ".docx":
		return "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	case ".xlsx":
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	case ".pptx":
		return "application/vnd.openxmlformats-officedocument.presentationml.presentation"
	case ".odt":
		return "application/vnd.oasis.opendocument.text"
	case ".ods":
		return "application/vnd.oasis.opendocument.spreadsheet"
	case ".odp":
		return "application/vnd.oasis.opendocument.presentation"
	case ".bin", ".exe", ".dmg", ".iso", ".deb", ".rpm", ".msi":
		return "application/octet-stream"
	}
	return ""
}
