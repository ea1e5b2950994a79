package templates

func (v LogsView) path() string {
	if v.Visits {
		return VisitsPath(v.Name)
	}
	return LogsPath(v.Name)
}

func (v LogsView) followPath() string {
	if v.Visits {
		return VisitsFollowPath(v.Name)
	}
	return LogsFollowPath(v.Name)
}

func (v LogsView) what() string {
	if v.Visits {
		return "Who has asked the site for what, newest line last."
	}
	return "What the site's instance has written, newest line last."
}

func (v LogsView) empty() string {
	if v.Visits {
		return "Nobody has asked for anything yet."
	}
	return "Nothing has been written yet."
}
