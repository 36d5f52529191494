"""Every SQL statement of metrics-svc: facts, flows, conservation; those of the KPIs have a file each in `kpis/`."""
