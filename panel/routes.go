package panel

import (
	"net/http"

	"berth/templates"

	"github.com/labstack/echo/v4"
)

// Paths that are no pages.
const (
	pathHealth = "/healthz"
	pathReady  = "/readyz"
	pathRoot   = "/root.crt"
	pathAPI    = "/api/v1"
)

// routes lists every route. page, part and token let accounts in, by session or API token; adminPage, adminPart and
// adminToken let admins in; the others are open to everybody.
func (p *Panel) routes(e *echo.Echo) {
	get(e, pathHealth, p.health)
	get(e, pathReady, p.readiness)
	get(e, pathRoot, p.rootCertificate)
	get(e, templates.PathAssets+"*", echo.WrapHandler(templates.Assets()))

	get(e, templates.PathLogin, p.loginPage)
	e.POST(templates.PathLogin, p.login)
	get(e, templates.PathLoginCode, p.loginCodePage)
	e.POST(templates.PathLoginCode, p.loginCode)
	e.POST(templates.PathLogout, p.logout)

	p.ownerRoutes(e)
	p.adminRoutes(e)
	p.zoneRoutes(e)
	p.domainRoutes(e)
	p.apiRoutes(e.Group(pathAPI))
}

func (p *Panel) ownerRoutes(e *echo.Echo) {
	get(e, templates.PathSites, p.page(p.sitesPage))
	get(e, templates.PathNewSite, p.page(p.newSitePage))
	e.POST(templates.PathNewSite, p.page(p.createSite))
	get(e, "/sites/:name", p.page(p.sitePage))
	e.POST("/sites/:name/start", p.page(p.startSite))
	e.POST("/sites/:name/stop", p.page(p.stopSite))
	e.POST("/sites/:name/restart", p.page(p.restartSite))
	e.POST("/sites/:name/releases", p.page(p.upload))
	get(e, "/sites/:name/releases", p.page(p.toSite))
	e.POST("/sites/:name/releases/:number/activate", p.page(p.activate))
	get(e, "/sites/:name/logs", p.page(p.logsPage))
	get(e, "/sites/:name/logs/follow", p.part(p.followLogs))
	get(e, "/sites/:name/access", p.page(p.visitsPage))
	get(e, "/sites/:name/access/follow", p.part(p.followVisits))
	get(e, "/sites/:name/traffic", p.page(p.trafficPage))
	get(e, "/sites/:name/why", p.page(p.siteWhyPage))
	get(e, "/sites/:name/records", p.page(p.siteRecordsPage))
	e.POST("/sites/:name/records", p.page(p.createRecord(p.siteHome)))
	get(e, "/sites/:name/records/:id", p.page(p.recordPage(p.siteHome)))
	e.POST("/sites/:name/records/:id", p.page(p.updateRecord(p.siteHome)))
	e.POST("/sites/:name/records/:id/delete", p.page(p.deleteRecord(p.siteHome)))
	get(e, "/sites/:name/settings", p.page(p.settingsPage))
	e.POST("/sites/:name/settings/instances", p.page(p.saveInstances))
	get(e, "/sites/:name/settings/instances", p.page(p.toSite))
	for section, setting := range settings() {
		e.POST("/sites/:name/settings/"+section, p.page(p.saveSetting(setting)))
		get(e, "/sites/:name/settings/"+section, p.page(p.toSite))
	}
	get(e, "/sites/:name/delete", p.page(p.deleteSitePage))
	e.POST("/sites/:name/delete", p.page(p.deleteSite))

	get(e, templates.PathAccount, p.page(p.accountPage))
	e.POST(templates.PathPassword, p.page(p.changePassword))
	get(e, templates.PathPassword, p.page(toParent))
	e.POST(templates.PathTokens, p.page(p.createToken))
	get(e, templates.PathTokens, p.page(toParent))
	e.POST("/account/tokens/:id/revoke", p.page(p.revokeToken))
	get(e, templates.PathTwoStep, p.page(p.twoStepPage))
	e.POST(templates.PathTwoStep, p.page(p.turnOnTwoStep))
	e.POST(templates.PathTwoStepOff, p.page(p.confirmed(true, p.turnOffTwoStep)))
	get(e, templates.PathTwoStepOff, p.page(toParent))
	e.POST(templates.PathTwoStepCodes, p.page(p.confirmed(false, p.replaceRecoveryCodes)))
	get(e, templates.PathTwoStepCodes, p.page(toParent))

	get(e, templates.PathHelp, p.page(p.helpPage))
	get(e, templates.PathEvents, p.part(p.events))
	get(e, templates.PathSitesLive, p.part(p.sitesLive))
	get(e, "/live/sites/:name", p.part(p.siteLive))
}

func (p *Panel) domainRoutes(e *echo.Echo) {
	get(e, "/sites/:name/domains", p.page(p.domainsPage))
	e.POST("/sites/:name/domains", p.page(p.addDomain))
	e.POST("/sites/:name/domains/main", p.page(p.chooseMain))
	get(e, "/sites/:name/domains/main", p.page(p.toSite))
	e.POST("/sites/:name/domains/:domain/check", p.page(p.checkDomain))
	get(e, "/sites/:name/domains/:domain/remove", p.page(p.removeDomainPage))
	e.POST("/sites/:name/domains/:domain/remove", p.page(p.removeDomain))
	get(e, "/live/sites/:name/domains", p.part(p.domainsLive))
}

func (p *Panel) apiDomainRoutes(api *echo.Group) {
	get(api, "/sites/:name/domains", p.token(p.apiDomains))
	api.POST("/sites/:name/domains", p.token(p.apiAddDomain))
	get(api, "/sites/:name/domains/:domain", p.token(p.apiDomain))
	api.DELETE("/sites/:name/domains/:domain", p.token(p.apiRemoveDomain))
	api.POST("/sites/:name/domains/:domain/check", p.token(p.apiCheckDomain))
	get(api, "/held-domains", p.adminToken(p.apiHeldNames))
	api.DELETE("/held-domains/:domain", p.adminToken(p.apiReleaseName))
}

func (p *Panel) adminRoutes(e *echo.Echo) {
	get(e, templates.PathStatus, p.adminPage(p.statusPage))
	get(e, templates.PathWhy, p.adminPage(p.whyPage))
	get(e, templates.PathAllSites, p.adminPage(p.allSitesPage))
	get(e, templates.PathAccounts, p.adminPage(p.accountsPage))
	e.POST(templates.PathAccounts, p.adminPage(p.createAccount))
	get(e, "/admin/accounts/:name", p.adminPage(p.editAccountPage))
	e.POST("/admin/accounts/:name", p.adminPage(p.editAccount))
	e.POST("/admin/accounts/:name/password", p.adminPage(p.resetPassword))
	get(e, "/admin/accounts/:name/password", p.adminPage(toParent))
	e.POST("/admin/accounts/:name/tokens", p.adminPage(p.revokeTokens))
	e.POST("/admin/accounts/:name/two-step", p.adminPage(p.endTwoStep))
	e.POST("/admin/accounts/:name/delete", p.adminPage(p.deleteAccount))
	get(e, "/admin/accounts/:name/delete", p.adminPage(toParent))
	get(e, templates.PathActivity, p.adminPage(p.activityPage))
	get(e, templates.PathAllTraffic, p.adminPage(p.allTrafficPage))
	get(e, templates.PathCertificates, p.adminPage(p.certificatesPage))
	e.POST("/admin/certificates/:host/renew", p.adminPage(p.renewCertificate))
	get(e, "/admin/certificates/:host/renew", p.adminPage(p.toCertificates))
	get(e, templates.PathStatusLive, p.adminPart(p.statusLive))
	get(e, templates.PathAllLive, p.adminPart(p.allSitesLive))
}

func (p *Panel) zoneRoutes(e *echo.Echo) {
	get(e, templates.PathZones, p.adminPage(p.zonesPage))
	e.POST(templates.PathZones, p.adminPage(p.createZone))
	get(e, "/zones/:zone", p.adminPage(p.zonePage))
	for action, handler := range map[string]pageHandler{
		"check": p.checkDelegation, "sign": p.signZone, "roll": p.rollKey, "ds": p.confirmDS,
		"peers": p.addPeer, "remove-peer": p.removePeer, "primaries": p.setPrimaries, "delete": p.deleteZone,
	} {
		e.POST("/zones/:zone/"+action, p.adminPage(handler))
		get(e, "/zones/:zone/"+action, p.adminPage(toParent))
	}
	get(e, "/zones/:zone/records", p.adminPage(p.zoneRecordsPage))
	e.POST("/zones/:zone/records", p.adminPage(p.createRecord(p.zoneHome)))
	get(e, "/zones/:zone/records/:id", p.adminPage(p.recordPage(p.zoneHome)))
	e.POST("/zones/:zone/records/:id", p.adminPage(p.updateRecord(p.zoneHome)))
	e.POST("/zones/:zone/records/:id/delete", p.adminPage(p.deleteRecord(p.zoneHome)))
	get(e, "/zones/:zone/import", p.adminPage(p.importPage))
	e.POST("/zones/:zone/import", p.adminPage(p.planImport))
	e.POST("/zones/:zone/import/apply", p.adminPage(p.applyImport))
	get(e, "/zones/:zone/import/apply", p.adminPage(toParent))
	get(e, "/zones/:zone/export", p.adminPage(p.exportZone))

	get(e, templates.PathTSIGKeys, p.adminPage(p.tsigKeysPage))
	e.POST(templates.PathTSIGKeys, p.adminPage(p.createTSIGKey))
	e.POST("/tsig-keys/:key/delete", p.adminPage(p.deleteTSIGKey))
	get(e, templates.PathQueries, p.adminPage(p.queriesPage))
	get(e, templates.PathQueriesFollow, p.adminPart(p.followQueries))
}

func (p *Panel) apiRoutes(api *echo.Group) {
	get(api, "/sites", p.token(p.apiSites))
	api.POST("/sites", p.token(p.apiCreateSite))
	get(api, "/sites/:name", p.token(p.apiSite))
	api.PATCH("/sites/:name", p.token(p.apiUpdateSite))
	api.DELETE("/sites/:name", p.token(p.apiDeleteSite))
	api.POST("/sites/:name/start", p.token(p.apiStart))
	api.POST("/sites/:name/stop", p.token(p.apiStop))
	api.POST("/sites/:name/restart", p.token(p.apiRestart))
	get(api, "/sites/:name/releases", p.token(p.apiReleases))
	api.POST("/sites/:name/releases", p.token(p.apiUpload))
	get(api, "/sites/:name/releases/:id", p.token(p.apiRelease))
	api.POST("/sites/:name/releases/:id/activate", p.token(p.apiActivate))
	get(api, "/sites/:name/logs", p.token(p.apiLogs))
	get(api, "/sites/:name/access", p.token(p.apiVisits))
	get(api, "/sites/:name/traffic", p.token(p.apiTraffic))
	get(api, "/sites/:name/why", p.token(p.apiSiteWhy))
	get(api, "/why", p.adminToken(p.apiWhy))
	get(api, "/traffic", p.adminToken(p.apiAllTraffic))
	get(api, "/status", p.adminToken(p.apiStatus))
	get(api, "/certificates", p.token(p.apiCertificates))
	api.POST("/certificates/:host/renew", p.token(p.apiRenewCertificate))
	get(api, "/accounts", p.adminToken(p.apiAccounts))
	api.POST("/accounts", p.adminToken(p.apiCreateAccount))
	get(api, "/accounts/:name", p.adminToken(p.apiAccount))
	api.PATCH("/accounts/:name", p.adminToken(p.apiUpdateAccount))
	api.DELETE("/accounts/:name", p.adminToken(p.apiDeleteAccount))
	p.apiDomainRoutes(api)
	p.apiZoneRoutes(api)
}

func (p *Panel) apiZoneRoutes(api *echo.Group) {
	get(api, "/records", p.token(p.apiRecords))
	api.POST("/records", p.token(p.apiCreateRecord))
	get(api, "/records/:id", p.token(p.apiRecord))
	api.PATCH("/records/:id", p.token(p.apiUpdateRecord))
	api.DELETE("/records/:id", p.token(p.apiDeleteRecord))
	get(api, "/zones", p.adminToken(p.apiZones))
	api.POST("/zones", p.adminToken(p.apiCreateZone))
	get(api, "/zones/:zone", p.adminToken(p.apiZone))
	api.PATCH("/zones/:zone", p.adminToken(p.apiUpdateZone))
	api.DELETE("/zones/:zone", p.adminToken(p.apiDeleteZone))
	get(api, "/zones/:zone/status", p.adminToken(p.apiZoneStatus))
	get(api, "/zones/:zone/delegation", p.adminToken(p.apiDelegation))
	get(api, "/zones/:zone/export", p.adminToken(p.apiExport))
	api.POST("/zones/:zone/import", p.adminToken(p.apiImport))
	get(api, "/zones/:zone/keys", p.adminToken(p.apiZoneKeys))
	api.POST("/zones/:zone/keys", p.adminToken(p.apiRollKey))
	api.POST("/zones/:zone/ds-confirmed", p.adminToken(p.apiConfirmDS))
	get(api, "/tsig-keys", p.adminToken(p.apiTSIGKeys))
	api.POST("/tsig-keys", p.adminToken(p.apiCreateTSIGKey))
	api.DELETE("/tsig-keys/:key", p.adminToken(p.apiDeleteTSIGKey))
}

// router is an echo or a group of it.
type router interface {
	Add(method, path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route
}

// get registers a handler for GET and, as HTTP asks for, HEAD.
func get(r router, path string, h echo.HandlerFunc) {
	r.Add(http.MethodGet, path, h)
	r.Add(http.MethodHead, path, h)
}
