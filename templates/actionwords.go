package templates

// actionWords is the phrase for an action of the audit log, which follows the name of who has done it.
func actionWords(action string) string {
	if phrase, ok := phrases[action]; ok {
		return phrase
	}
	return action
}

var phrases = map[string]string{
	"site.create":  "created the site",
	"site.delete":  "deleted the site",
	"site.update":  "changed the site",
	"site.options": "changed how the site answers",
	"site.start":   "started the site",
	"site.stop":    "stopped the site",
	"site.restart": "restarted the site",

	"certificate.renew": "had the certificate renewed",

	"domain.add":      "added a domain",
	"domain.remove":   "removed a domain",
	"domain.activate": "saw a domain lead here, and put it in use",
	"domain.stray":    "saw a domain lead elsewhere",
	"domain.settle":   "saw a domain lead here again",
	"domain.lapse":    "let a domain lapse",
	"domain.expire":   "gave up waiting for a domain",
	"domain.release":  "released the domain for all accounts",

	"release.arrive":   "uploaded a zip that takes a while to unpack",
	"release.resume":   "went on unpacking a zip",
	"release.lose":     "gave up a zip that had arrived",
	"release.upload":   "uploaded a release",
	"release.activate": "activated a release",
	"release.live":     "put a release live",
	"release.fail":     "could not start a release",
	"release.refuse":   "uploaded a zip that was refused",

	"account.create":        "created the account",
	"account.update":        "changed the account",
	"account.delete":        "deleted the account",
	"account.password":      "set the password",
	"account.login":         "logged in",
	"account.login-refused": "tried to log in and was refused",
	"account.logout":        "logged out",

	"two-step.on":    "turned two-step login on",
	"two-step.off":   "turned two-step login off",
	"two-step.codes": "made new recovery codes",

	"token.end-all": "revoked all API tokens of the account",
	"token.create":  "made an API token",
	"token.delete":  "revoked an API token",
	"token.use":     "used an API token",

	"zone.set":    "set the zone",
	"zone.add":    "added the zone",
	"zone.update": "changed the zone",
	"zone.delete": "deleted the zone",
	"zone.import": "imported a zone file",

	"key.roll":   "began to replace a key of the zone",
	"key.retire": "planned the end of a key of the zone",
	"key.keep":   "kept a key of the zone that was to go",
	"key.remove": "removed a key of the zone",

	"record.add":    "added a DNS record",
	"record.update": "changed a DNS record",
	"record.delete": "deleted a DNS record",

	"tsig.add":    "added a TSIG key",
	"tsig.delete": "removed a TSIG key",

	"berth.start":   "started",
	"berth.restore": "restored a backup",

	"setting.set": "kept a setting",
}
