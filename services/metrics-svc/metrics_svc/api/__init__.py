"""HTTP out: KPIs, flows, conservation, and the page in the browser."""
