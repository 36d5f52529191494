"""What events mean for the numbers, by what they are about, and what a KPI is. Pure."""
