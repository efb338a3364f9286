package notify

import (
	"fmt"
	"strconv"
	"strings"

	"sofiacall.com/bluegreen/switcher"
)

// spanishFinding says what a rule has measured, for its own sentence is
// English. Rates are shares of 1, latencies seconds.
func spanishFinding(f switcher.Finding) string {
	asked, before := thousands(f.Samples), thousands(f.Against)
	switch f.Rule {
	case "health":
		if f.Outcome == switcher.Good {
			return "responde a todas las comprobaciones"
		}
		return "no responde a todas las comprobaciones"
	case "restarts":
		return fmt.Sprintf("reinicios: %.0f; se toleran %.0f", f.Measured, f.Limit)
	case "error_rate":
		return fmt.Sprintf("falló el %s de %s peticiones; el %s ya es demasiado", percentage(f.Measured), asked, percentage(f.Limit))
	case "p99":
		return fmt.Sprintf("p99 de %s en %s peticiones; el límite es %s", latency(f.Measured), asked, latency(f.Limit))
	case "error_rate_relative", "latency_relative":
		if f.Against == 0 {
			return "la versión anterior no tuvo peticiones suficientes para comparar"
		}
		if f.Rule == "error_rate_relative" {
			return fmt.Sprintf("falló el %s de %s peticiones, frente al %s de %s en la versión anterior", percentage(f.Measured), asked, percentage(f.Limit), before)
		}
		if f.Measured == 0 {
			return fmt.Sprintf("%s peticiones hasta ahora, pocas para comparar", asked)
		}
		return fmt.Sprintf("p90 de %s en las últimas %s peticiones, frente a %s en %s de la versión anterior", latency(f.Measured), asked, latency(f.Limit), before)
	}
	return fmt.Sprintf("medido %s, límite %s, %s peticiones", comma(f.Measured), comma(f.Limit), asked)
}

func percentage(share float64) string { return comma(100*share) + " %" }

func latency(seconds float64) string {
	if seconds < 1 {
		return comma(1000*seconds) + " ms"
	}
	return comma(seconds) + " s"
}

// comma writes a number with three figures.
func comma(v float64) string {
	if v >= 1000 {
		return thousands(int64(v))
	}
	return strings.Replace(strconv.FormatFloat(v, 'g', 3, 64), ".", ",", 1)
}

// thousands writes a number with its thousands apart.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "." + s[i:]
	}
	return s
}
