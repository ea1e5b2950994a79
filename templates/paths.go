package templates

import (
	"net/url"
	"strconv"
)

// The paths that the pages link to and post to. Names of sites never follow a path at the same place as a fixed
// word, so a site may have any name.
const (
	PathSites        = "/"                    // GET: my sites
	PathNewSite      = "/new"                 // GET: the form; POST: create
	PathLogin        = "/login"               // GET, POST
	PathLogout       = "/logout"              // POST
	PathLoginCode    = "/login/code"          // GET, POST: the second step
	PathAccount      = "/account"             // GET
	PathPassword     = "/account/password"    // POST
	PathTokens       = "/account/tokens"      // POST: create
	PathTwoStep      = "/account/two-step"    // GET; POST: turn on
	PathTwoStepOff   = PathTwoStep + "/off"   // POST
	PathTwoStepCodes = PathTwoStep + "/codes" // POST: new ones
	PathHelp         = "/help"                // GET; its sections have anchors
	PathStatus       = "/admin/status"        // GET
	PathAllSites     = "/admin/sites"         // GET
	PathCertificates = "/admin/certificates"  // GET
	PathAccounts     = "/admin/accounts"      // GET; POST: create
	PathActivity     = "/admin/activity"      // GET
	PathEvents       = "/events"              // GET: server-sent events; event "site" carries a site's name
	PathSitesLive    = "/live/sites"          // GET: SitesLive
	PathAllLive      = "/live/all-sites"      // GET: AllSitesLive
	PathStatusLive   = "/live/status"         // GET: StatusLive
	PathAssets       = "/assets/"             // GET: the files of Assets
	pathSitePrefix   = "/sites/"
	pathLivePrefix   = "/live/sites/"
	pathAdminPrefix  = "/admin/accounts/"
	pathTokenPrefix  = "/account/tokens/"
)

// SitePath is the page of a site.
func SitePath(name string) string { return pathSitePrefix + url.PathEscape(name) }

// SiteLivePath is where SiteLive is served.
func SiteLivePath(name string) string { return pathLivePrefix + url.PathEscape(name) }

// SiteActionPath is where a site's start, stop and restart are posted to; input next names the page to return to.
func SiteActionPath(name, action string) string { return SitePath(name) + "/" + action }

// UploadPath is where a zip is posted to, as multipart input file.
func UploadPath(name string) string { return SitePath(name) + "/releases" }

// ActivatePath is where the activation of a release is posted to.
func ActivatePath(name string, number int) string {
	return UploadPath(name) + "/" + strconv.Itoa(number) + "/activate"
}

// LogsPath is the page with a site's output; query parameter tail is the number of lines.
func LogsPath(name string) string { return SitePath(name) + "/logs" }

// LogsFollowPath streams a site's output as plain text while it grows, from the last lines of query parameter tail on.
func LogsFollowPath(name string) string { return SitePath(name) + "/logs/follow" }

// DeleteSitePath shows the question (GET) and deletes (POST).
func DeleteSitePath(name string) string { return SitePath(name) + "/delete" }

// RevokeTokenPath is where the end of a token is posted to.
func RevokeTokenPath(id int64) string {
	return pathTokenPrefix + strconv.FormatInt(id, 10) + "/revoke"
}

// EditAccountPath is the page of an account (GET) and takes its role and quota (POST).
func EditAccountPath(name string) string { return pathAdminPrefix + url.PathEscape(name) }

// ResetPasswordPath is where an account's new password is posted to; an empty one asks berth to make one up.
func ResetPasswordPath(name string) string { return EditAccountPath(name) + "/password" }

// EndTwoStepPath is where the end of an account's two-step login is posted to.
func EndTwoStepPath(name string) string { return EditAccountPath(name) + "/two-step" }

// RevokeTokensPath is where the end of all tokens of an account is posted to.
func RevokeTokensPath(name string) string { return EditAccountPath(name) + "/tokens" }

// DeleteAccountPath is where the deletion of an account is posted to.
func DeleteAccountPath(name string) string { return EditAccountPath(name) + "/delete" }

// RenewCertificatePath is where a renewal is posted to; the host may be a wildcard.
func RenewCertificatePath(host string) string {
	return PathCertificates + "/" + url.PathEscape(host) + "/renew"
}

// ActivityPath is the audit log narrowed to a subject.
func ActivityPath(subject string) string {
	return PathActivity + "?subject=" + url.QueryEscape(subject)
}
