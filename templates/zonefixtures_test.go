package templates

import "time"

func recordRows() []RecordRow {
	return []RecordRow{
		{ID: 1, Name: "bakery.sites.example.org", Type: "MX", TTL: 3600, Data: "10 mail.example.net."},
		{ID: 2, Name: "bakery.sites.example.org", Type: "TXT", TTL: 3600, Data: `"v=spf1 mx -all"`},
		{ID: 3, Name: "2026._domainkey.bakery.sites.example.org", Type: "TXT", TTL: 3600, Data: `"v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu7oP4cDkQ0f0w1lHn4pVtZq" "4mXQ0a5bH3pQ3sGkq3xkTzJQ0c3o2x3mTQIDAQAB"`},
		{ID: 4, Name: "shop.bakery.sites.example.org", Type: "A", TTL: 300, Data: "192.0.2.44"},
	}
}

func recordForm() RecordForm {
	return RecordForm{Under: "bakery.sites.example.org", Type: "MX", TTL: "3600"}
}

func zoneRecords() ZoneRecordsView {
	rows := recordRows()
	rows = append(rows, RecordRow{ID: 9, Name: "sites.example.org", Type: "TXT", TTL: 86400, Data: `"google-site-verification=0a1b2c3d4e"`})
	for i := range 4 {
		rows[i].Site = "bakery"
	}
	form := recordForm()
	form.Under = "sites.example.org"
	return ZoneRecordsView{
		Shell: shell("Records of sites.example.org", SectionZones), Zone: "sites.example.org",
		RecordList: RecordList{Records: rows, Page: 2, More: true}, Total: 205, Form: form,
	}
}

func delegation() Delegation {
	return Delegation{
		State: "partly", Sentence: "Resolvers reach sites.example.org, yet something should be mended.", Parent: "example.org", CheckedAt: before(2 * time.Minute),
		Findings: []Finding{
			{"lame", "ns2.example.net", "ns2.example.net answers, but not for sites.example.org. Set the zone up there, or take the nameserver out at the registrar.", false},
			{"missing-glue", "ns1.sites.example.org", "example.org does not give the address of ns1.sites.example.org. Enter the glue line at the registrar.", true},
			{"wrong-ds", "", "The DS record 4711 names no key of the zone. Enter the DS line 20326 and remove this one.", false},
		},
	}
}

func zoneView() ZoneView {
	return ZoneView{
		Shell: shell("sites.example.org", SectionZones, Notice{NoticeSuccess, "The delegation is checked."}), Name: "sites.example.org", Kind: "main", Signed: true, Serial: 18233, Records: 5, Names: 14,
		NS:         []string{"sites.example.org. NS ns1.sites.example.org.", "sites.example.org. NS ns2.example.net."},
		Glue:       []string{"ns1.sites.example.org. A 198.51.100.7", "ns1.sites.example.org. AAAA 2001:db8::7"},
		DS:         []string{"sites.example.org. DS 20326 13 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"},
		Delegation: delegation(), RenewalAt: noon.Add(30 * time.Hour), DSFrom: noon.Add(24 * time.Hour),
		Keys: []KeyRow{
			{"ksk", 20326, before(90 * day), before(90 * day), time.Time{}, time.Time{}, before(90 * day)},
			{"ksk", 38696, before(time.Hour), before(time.Hour), time.Time{}, time.Time{}, noon.Add(24 * time.Hour)},
			{"zsk", 5116, before(60 * day), before(60 * day), noon.Add(day), noon.Add(10 * day), time.Time{}},
			{"zsk", 977, before(2 * time.Hour), noon.Add(day), noon.Add(91 * day), noon.Add(100 * day), time.Time{}},
			{"zsk", 12, before(200 * day), before(199 * day), before(2 * day), noon.Add(3 * day), time.Time{}},
		},
		Peers: []PeerRow{
			{"ns2", []string{"203.0.113.9/32", "2001:db8:9::/64"}, []string{"203.0.113.9:53"}, "berth-ns2", []PeerServer{{"203.0.113.9:53", 18233, true, 18233, before(time.Minute), ""}}},
			{"backup", nil, []string{"192.0.2.99:53"}, "berth-backup", []PeerServer{{"192.0.2.99:53", 18233, false, 18190, before(3 * day), "It has not answered the last 5 NOTIFY messages."}}},
		},
		TSIGKeys: []string{"berth-backup", "berth-ns2"},
	}
}

func zoneWithDSDue() ZoneView {
	v := zoneView()
	v.DS = append(v.DS, "sites.example.org. DS 38696 13 2 9F3C6A1D5B7E20418CDA4F60B1E8375297AC0D4E6F81B2C3D4E5F60718293A4B")
	v.DSFrom, v.Keys[1].ParentAt = before(time.Hour), before(time.Hour)
	return v
}

func secondaryZone() ZoneView {
	return ZoneView{
		Shell: shell("example.com", SectionZones), Name: "example.com", Kind: "secondary", Signed: true, Serial: 2026031401, Names: 812,
		NS: []string{"example.com. NS ns1.example.com."}, Glue: []string{"ns1.example.com. A 192.0.2.53"},
		Delegation:    Delegation{State: "good", Sentence: "The parent zone com delegates example.com to its nameservers, and resolvers reach it.", Parent: "com", CheckedAt: before(time.Hour)},
		Secondary:     SecondaryState{before(40 * time.Minute), noon.Add(6 * day), "The primary 192.0.2.53 refused the transfer: the TSIG key is not known to it."},
		PrimariesForm: PrimariesForm{Text: "192.0.2.53 transfer-key\n[2001:db8::53]:5353"},
	}
}

func newZoneView() ZoneView {
	return ZoneView{
		Shell: shell("example.net", SectionZones), Name: "example.net", Kind: "primary", Serial: 18234, Names: 1,
		NS: []string{"example.net. NS ns1.sites.example.org."}, DeleteFault: "Type example.net to confirm. Nothing was deleted.",
		PeerForm: PeerForm{Name: "ns3", From: "203.0.113.", Faults: Faults{"from": "“203.0.113.” is no address and no network."}},
	}
}

func zoneRows() []ZoneRow {
	return []ZoneRow{
		{"sites.example.org", "main", true, 18233, 5, 14, delegation(), ""},
		{"example.net", "primary", false, 18234, 0, 1, Delegation{}, ""},
		{"example.com", "secondary", true, 2026031401, 0, 812, Delegation{State: "good", CheckedAt: before(time.Hour)}, "The primary 192.0.2.53 refused the transfer."},
	}
}

func importPlanned() ImportView {
	rows := recordRows()
	after := rows[0]
	after.Data = "20 mx.example.net."
	return ImportView{
		Shell: shell("Import into sites.example.org", SectionZones), Zone: "sites.example.org", Mode: "replace", Planned: true, Hash: "00ff", Kept: 12,
		Text:  "$ORIGIN sites.example.org.\nbakery MX 20 mx.example.net.\n",
		Added: rows[1:3], Changed: []RecordChange{{rows[0], after}}, Removed: rows[3:],
		Lines: []LineFault{
			{1, "The SOA record is left out: berth makes its own.", true},
			{7, "“192.0.2.300” is no IPv4 address.", false},
			{12, "There is a CNAME record at www.sites.example.org, so there can be nothing else.", false},
		},
	}
}

func zonePages() []page {
	form, refused := recordForm(), recordForm()
	form.Type = "A"
	refused.Name, refused.Data, refused.TTL = "shop", "mail.example.net", "an hour"
	refused.Faults = Faults{"data": "An MX record is a preference and a name, such as 10 mail.example.com.", "ttl": "Give whole seconds."}
	own := SiteRecordsView{Shell: owner("DNS records of bakery", SectionSites, Notice{NoticeSuccess, "The record is added."}), Site: "bakery", Host: "bakery.sites.example.org", Addresses: []string{"198.51.100.7", "2001:db8::7"}, Signed: true, RecordList: RecordList{Records: recordRows(), Page: 1, More: true}, Form: form}
	none, wrong := own, own
	none.RecordList, none.Addresses, none.Notices = RecordList{Page: 1}, nil, nil
	wrong.Form, wrong.Notices = refused, nil
	noRecords := zoneRecords()
	noRecords.Records, noRecords.Page, noRecords.More, noRecords.Type = nil, 1, false, "CAA"
	key := TSIGKeyRow{"berth-ns2", "hmac-sha256", before(9 * day)}
	return []page{
		newPage("site-records", SiteRecords, own),
		newPage("site-records-none", SiteRecords, none),
		newPage("site-records-refused", SiteRecords, wrong),
		newPage("edit-record", EditRecord, EditRecordView{Shell: owner("MX of bakery", SectionSites), Site: "bakery", Record: recordRows()[0], Form: RecordForm{Under: "bakery.sites.example.org", Type: "MX", TTL: "3600", Data: "10 mail.example.net"}}),
		newPage("zones", Zones, ZonesView{Shell: shell("Zones", SectionZones), Zones: zoneRows()}),
		newPage("zones-refused", Zones, ZonesView{Shell: shell("Zones", SectionZones), Zones: zoneRows(), Form: ZoneForm{Name: "example", Kind: "secondary", Primaries: "192.0.2.", Faults: Faults{"name": "A zone's name has at least two labels.", "primaries": "“192.0.2.” is no address."}}}),
		newPage("zone", Zone, zoneView()),
		newPage("zone-ds-due", Zone, zoneWithDSDue()),
		newPage("zone-secondary", Zone, secondaryZone()),
		newPage("zone-new", Zone, newZoneView()),
		newPage("zone-records", ZoneRecords, zoneRecords()),
		newPage("zone-records-none", ZoneRecords, noRecords),
		newPage("import", Import, ImportView{Shell: shell("Import", SectionZones), Zone: "sites.example.org"}),
		newPage("import-plan", Import, importPlanned()),
		newPage("tsig-keys", TSIGKeys, TSIGKeysView{Shell: shell("TSIG keys", SectionZones), Keys: []TSIGKeyRow{key, {"berth-backup", "hmac-sha512", before(time.Hour)}}, Secret: Secret{"berth-backup", "b3VyIHNlY3JldCBpcyBub3QgZm9yIHlvdXIgZXllcw=="}}),
		newPage("queries", Queries, QueriesView{Shell: shell("Live queries", SectionZones), Name: "bakery.sites.example.org"}),
	}
}
