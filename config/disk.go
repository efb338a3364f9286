package config

// Disk says when a disk is told to be nearly full.
type Disk struct {
	// Warn is how many per cent of the disks of state and logs may be used before it is
	// told; default 90.
	Warn Percent `yaml:"warn"`
}

func validateDisk(d Disk, r *report) {
	if d.Warn == 0 {
		r.key("disk.warn", "must be above 0: write 100 for a disk that is quite full")
	}
}
