package verdict

import "math"

// binomialBelow is the chance of at most x successes in n trials. Both need not
// be whole (DLMF 8.17.5).
func binomialBelow(x, n, p float64) float64 {
	switch {
	case x >= n || p <= 0:
		return 1
	case p >= 1:
		return 0
	}
	return incompleteBeta(n-x, x+1, 1-p)
}

// upperBound is the rate that x failures of n would be too few for: a higher
// one is seen with so few at most with that chance (Clopper and Pearson 1934).
func upperBound(x, n, chance float64) float64 {
	if n <= 0 || x >= n {
		return 1
	}
	low, high := x/n, 1.0
	for range 60 {
		middle := (low + high) / 2
		if binomialBelow(x, n, middle) > chance {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}

// incompleteBeta is I_x(a, b), by its continued fraction (DLMF 8.17.22) with
// Lentz's method.
func incompleteBeta(a, b, x float64) float64 {
	if x <= 0 || x >= 1 {
		return math.Max(0, math.Min(1, x))
	}
	if x > (a+1)/(a+b+2) {
		return 1 - incompleteBeta(b, a, 1-x)
	}
	front := math.Exp(logGamma(a+b) - logGamma(a) - logGamma(b) + a*math.Log(x) + b*math.Log1p(-x))
	const tiny = 1e-300
	keep := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/keep(1-(a+b)*x/(a+1))
	sum := d
	for m := 1.0; m < 10_000; m++ {
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d, c = 1/keep(1+even*d), keep(1+even/c)
		sum *= d * c
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d, c = 1/keep(1+odd*d), keep(1+odd/c)
		sum *= d * c
		if math.Abs(d*c-1) < 1e-13 {
			break
		}
	}
	return front * sum / a
}

func logGamma(v float64) float64 {
	l, _ := math.Lgamma(v)
	return l
}

// above is the chance that a standard normal value exceeds z.
func above(z float64) float64 { return math.Erfc(z/math.Sqrt2) / 2 }

// proportions is the chance of a difference as large as that between x of n and
// y of m in either direction, if both had the same rate: the score test of two
// proportions (Pearson 1900).
func proportions(x, n, y, m int64) float64 {
	if n == 0 || m == 0 || x+y == 0 || x+y == n+m {
		return 1
	}
	nf, mf := float64(n), float64(m)
	rate := float64(x+y) / (nf + mf)
	z := (float64(x)/nf - float64(y)/mf) / math.Sqrt(rate*(1-rate)*(1/nf+1/mf))
	return math.Min(1, 2*above(math.Abs(z)))
}

// Dispersion says how much more the errors of equal spans of time vary than
// errors that come singly: Pearson's statistic by its degrees of freedom
// (McCullagh and Nelder 1989, section 4.5). It is 1 unless that is more than
// chance, and then taken at the upper end of what it may be.
func Dispersion(spans []Traffic) float64 {
	var requests, failed int64
	for _, s := range spans {
		requests, failed = requests+s.tried(), failed+s.failed()
	}
	if failed == 0 || failed == requests {
		return 1
	}
	rate := float64(failed) / float64(requests)
	sum, free := 0.0, -1.0
	for _, s := range spans {
		if tried := float64(s.tried()); tried > 0 {
			off := float64(s.failed()) - rate*tried
			sum += off * off / (tried * rate * (1 - rate))
			free++
		}
	}
	if free < 4 {
		return 1
	}
	deviation := math.Sqrt(2 / free)
	if found := sum / free; found > 1+3*deviation {
		return found * (1 + 2*deviation)
	}
	return 1
}
