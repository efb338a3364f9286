package dashboard

import (
	"regexp"
	"strconv"
	"strings"
)

// phrase is a sentence of the switcher, and the same in Spanish, in which {1} is
// the first group as it is and [1] its translation.
type phrase struct {
	english *regexp.Regexp
	spanish string
}

// phrases are what steps and results of operations say, as far as the edge itself
// says it. What is not here is shown as it is.
func phrases() (all []phrase) {
	for english, spanish := range map[string]string{
		`blue`:  `azul`,
		`green`: `verde`,

		`(.+) is live on (\S+), watched for (.+)`:                `{1} está en vivo en [2], en observación durante {3}`,
		`(.+) is live on (\S+)`:                                  `{1} está en vivo en [2]`,
		`(.+) is active on (\S+)`:                                `{1} está en vivo en [2]`,
		`(.+) is ready for tests on (\S+)`:                       `{1} está lista para pruebas en [2]`,
		`production is back on (\S+) with ([^:]+): (.+)`:         `producción vuelve a estar en [1] con {2}: [3]`,
		`production is back on (\S+) with ([^:]+)`:               `producción vuelve a estar en [1] con {2}`,
		`the bake of (.+?) has ended as good; rollback stays .+`: `la observación de {1} ha terminado bien; se puede volver atrás hasta el próximo despliegue o limpieza`,
		`(.+) is discarded, (\S+) is empty`:                      `{1} descartada, [2] queda vacío`,
		`(.+) is removed, (\S+) is empty`:                        `{1} retirada, [2] queda vacío`,
		`(\S+) is empty already`:                                 `[1] ya está vacío`,
		`(\S+) is drained`:                                       `[1] está drenado`,
		`(\S+) is drained, nothing was cut`:                      `[1] está drenado, no se cortó nada`,
		`(\S+) is drained; ended at their deadline: (.+)`:        `[1] está drenado; cortado al vencer el plazo: [2]`,
		`(\d+ \w+(?: \w+)?), (\d+ .+)`:                           `[1], [2]`,
		`1 request`:                                              `1 petición`,
		`(\d+) requests`:                                         `{1} peticiones`,
		`1 long connection`:                                      `1 conexión larga`,
		`(\d+) long connections`:                                 `{1} conexiones largas`,
		`(\S+) does not answer its health check: (.+)`:           `[1] no supera su sonda de salud: [2]`,
		`production goes on after (\S+); held: (.+)`:             `producción sigue tras {1}; retenidas: [2]`,
		`the running deploy was aborted`:                         `se ha abortado el despliegue en marcha`,
		`production is paused, for (\S+) at most`:                `producción en pausa, {1} como máximo`,
		`production shows the maintenance page`:                  `producción muestra la página de mantenimiento`,
		`production serves again, after (\S+) of maintenance`:    `producción sirve de nuevo, tras {1} de mantenimiento`,
		`routes and containers are as recorded`:                  `rutas y contenedores están como constan`,

		`(\S+) (.+) goes to (\S+)`:                               `{1} {2} va a [3]`,
		`image (.+) is here: (.+)`:                               `la imagen {1} está aquí: {2}`,
		`(\S+) is free, (.+) is gone`:                            `[1] está libre, {2} se ha retirado`,
		`started (\S+) on (\S+)`:                                 `{1} arrancado en {2}`,
		`healthy after (\d+) probes`:                             `sano tras {1} sondas`,
		`production and internal now lead to (\S+)`:              `producción e interno llevan ahora a [1]`,
		`internal now leads to (\S+); production stays on (\S+)`: `interno lleva ahora a [1]; producción sigue en [2]`,
		`every gate lets (.+) pass`:                              `todos los controles dejan pasar {1}`,
		`gate health: (.+)`:                                      `control de salud: [1]`,
		`(\S+) is healthy`:                                       `[1] está sano`,
		`production now leads to (\S+)`:                          `producción lleva ahora a [1]`,
		`production leads to (\S+) again`:                        `producción lleva de nuevo a [1]`,
		`production answers on (\S+)`:                            `producción responde en [1]`,
		`production answered (\d+) of (\d+) probes during the \S+, slowest (\S+)`: `producción respondió a {1} de {2} sondas durante el cambio, la más lenta en {3}`,
		`(\S+) drains \(.+\) and is then stopped, its logs are kept`:              `[1] se drena y después se para; se conservan sus registros`,
		`(\S+) is drained, its container is gone`:                                 `[1] está drenado y su contenedor retirado`,
		`rollback to (.+) ends here: its slot is needed`:                          `ya no se puede volver a {1}: hace falta su slot`,
	} {
		all = append(all, phrase{regexp.MustCompile(`^(?:` + english + `)$`), spanish})
	}
	return all
}

// say is a text of the switcher in the visitor's language, as far as it is
// known there.
func (v *visit) say(text string) string {
	if v.words.language != "es" {
		return text
	}
	// The longest that fits says the most.
	var best *phrase
	for i, p := range v.server.said {
		if p.english.MatchString(text) && (best == nil || len(p.english.String()) > len(best.english.String())) {
			best = &v.server.said[i]
		}
	}
	if best == nil {
		if v.server.options.Cause != nil {
			return v.server.options.Cause(v.words.language, text)
		}
		return text
	}
	said := best.spanish
	for i, group := range best.english.FindStringSubmatch(text)[1:] {
		n := strconv.Itoa(i + 1)
		if strings.Contains(said, "["+n+"]") {
			said = strings.Replace(said, "["+n+"]", v.say(group), 1)
		} else {
			said = strings.Replace(said, "{"+n+"}", group, 1)
		}
	}
	return said
}
