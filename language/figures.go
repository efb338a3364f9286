package language

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Whole writes a whole number with its thousands apart.
func (l *Language) Whole(n int64) string {
	if n < 0 {
		return "-" + l.Whole(-n)
	}
	digits := strconv.FormatInt(n, 10)
	if n < l.together {
		return digits
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + l.thousands + digits[i:]
	}
	return digits
}

// Decimal writes a number with so many places.
func (l *Language) Decimal(v float64, places int) string {
	return strings.Replace(strconv.FormatFloat(v, 'f', places, 64), ".", l.point, 1)
}

// Figure writes a number with about three digits.
func (l *Language) Figure(v float64) string {
	switch {
	case v >= 100:
		return l.Whole(int64(v + 0.5))
	case v >= 10:
		return l.Decimal(v, 1)
	case v == 0:
		return "0"
	case v < 0.01:
		return "<\u202f" + l.Decimal(0.01, 2)
	}
	return l.Decimal(v, 2)
}

// Percent writes a share between 0 and 1.
func (l *Language) Percent(share float64) string {
	switch {
	case share == 0:
		return "0\u202f%"
	case share < 0.0001:
		return "<\u202f" + l.Decimal(0.01, 2) + "\u202f%"
	case share >= 0.1:
		return l.Decimal(100*share, 1) + "\u202f%"
	}
	return l.Decimal(100*share, 2) + "\u202f%"
}

// Bytes writes an amount of memory, in units of a thousand as the command line
// and the configuration of disks do.
func (l *Language) Bytes(n int64) string {
	switch v := float64(n); {
	case v >= 999.5e6:
		return l.Decimal(v/1e9, 2) + "\u202fGB"
	case v >= 999.5e3:
		return l.Decimal(v/1e6, 0) + "\u202fMB"
	default:
		return l.Decimal(v/1e3, 0) + "\u202fkB"
	}
}

// number is one in an English sentence: "1,213", "5.2", and what is said of it.
var number = regexp.MustCompile(`^(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?(| .+)$`)

// value is a number or a length of time of an English sentence in the language.
func (l *Language) value(s string) string {
	if parts := number.FindStringSubmatch(s); parts != nil {
		n, err := strconv.ParseInt(strings.ReplaceAll(parts[1], ",", ""), 10, 64)
		if err != nil {
			return s
		}
		said := l.Whole(n)
		if parts[2] != "" {
			said += l.point + parts[2]
		}
		return said + parts[3]
	}
	if d, err := time.ParseDuration(s); err == nil {
		return l.Took(d)
	}
	return s
}
