package notify

import (
	"regexp"
	"strconv"
	"strings"
)

// phrase is a sentence of the switcher or of a probe, and the same in Spanish,
// in which {1} is the first group as it is, [1] its translation, and <1> the
// number that it is.
type phrase struct {
	english *regexp.Regexp
	spanish string
}

func is(english, spanish string) phrase {
	return phrase{regexp.MustCompile(`^(?:` + english + `)$`), spanish}
}

// causes are the reasons that a notice gives, as far as they are not somebody's
// own words: a person's, a program's, the system's. What is not here is told as
// it is.
var causes = []phrase{
	is(`it answers its health checks again`, `vuelve a responder a sus comprobaciones`),
	is(`nothing is to run in this slot now`, `en este slot ya no tiene que correr nada`),
	is(`it has been running and healthy for (.+)`, `lleva {1} funcionando y sano`),
	is(`it is the first release of the app`, `es la primera versión de la app`),
	is(`it exited with code (\d+)`, `terminó con el código {1}`),
	is(`it died, nobody knows with which exit code`, `se cayó, no se sabe con qué código`),
	is(`the kernel killed it for lack of memory \(exit code (-?\d+)\)`, `el kernel lo mató por falta de memoria (código {1})`),
	is(`(.+); it has died (\d+) times in (.+)`, `[1]; se ha caído {2} veces en {3}`),
	is(`(\S+) exited with code (\d+) before it was healthy`, `{1} terminó con el código {2} antes de estar sano`),
	is(`(\S+) was not healthy within (\S+): (.+)`, `{1} no llegó a estar sano en {2}: [3]`),
	is(`(\S+) was not healthy within (\S+)`, `{1} no llegó a estar sano en {2}`),
	is(`(.+) became unhealthy in the bake: (.+)`, `{1} dejó de estar sana mientras estaba bajo observación: [2]`),
	is(`the figures speak against (.+?) on (\S+), and it cannot be rolled back: (.+)`, `las cifras hablan en contra de {1} en {2}, y no se puede revertir: [3]`),
	is(`the figures speak against ([^:]+): .+`, `las cifras hablan en contra de {1}`),
	is(`the bake of (.+?) has ended as good, because (\S+) says so.*`, `la observación de {1} ha terminado bien, porque lo dice {2}`),
	is(`the bake of (.+?) has ended as good`, `la observación de {1} ha terminado bien`),
	is(`the bake of (.+?) has ended undecided.*`, `la observación de {1} ha terminado sin datos suficientes`),
	is(`production did not answer on (\S+) after the switch: (.+)`, `producción no respondió en {1} después del switch: [2]`),
	is(`neither release answers as it should: production is on (\S+), nothing was stopped`, `ninguna de las dos versiones responde como debe: producción está en {1} y no se ha parado nada`),
	is(`(.+) is unhealthy on (\S+) and cannot be rolled back: (.+)`, `{1} no está sana en {2} y no se puede revertir: [3]`),
	is(`(.+) runs on both slots and nothing is recorded: which one is active\?`, `{1} corre en los dos slots y no hay nada registrado: ¿cuál está activo?`),
	is(`no previous release is warm`, `no hay ninguna versión anterior caliente`),
	is(`it expires on (\S+), in (\d+) d, and was not renewed: (.+)`, `caduca el {1}, en {2} d, y no se ha renovado: [3]`),
	is(`it expires on (\S+), in (\d+) d, and was not renewed`, `caduca el {1}, en {2} d, y no se ha renovado`),
	is(`it expired on (\S+): (.+)`, `caducó el {1}: [2]`),
	is(`it expired on (\S+)`, `caducó el {1}`),
	is(`there is no certificate yet: (.+)`, `todavía no hay certificado: [1]`),
	is(`there is no certificate yet`, `todavía no hay certificado`),
	is(`(\S+) % of it is used, (\S+) GB are free`, `usado el <1> %; quedan <2> GB libres`),
	is(`(\S+) % of its inodes are used, there is room for (\d+) more files`, `usado el <1> % de los inodos; caben <2> archivos más`),
	is(`(\d+) of (\d+) requests \((\S+) %\) have failed in (\d+) minutes, the limit is (\S+) %`, `han fallado <1> de <2> peticiones (<3> %) en {4} minutos; el límite es <5> %`),
	is(`(\S+) answered (\d+)`, `{1} respondió {2}`),
	is(`no answer within (.+)`, `sin respuesta en {1}`),
	is(`connection refused`, `conexión rechazada`),
	is(`connection reset`, `conexión cortada`),
	is(`the connection was closed before the answer was complete`, `la conexión se cerró antes de que la respuesta estuviera completa`),
}

// spanishCause is the reason that a notice gives, in Spanish if it is known.
func spanishCause(cause string) string {
	for _, p := range causes {
		groups := p.english.FindStringSubmatch(cause)
		if groups == nil {
			continue
		}
		said := p.spanish
		for i, group := range groups[1:] {
			n := strconv.Itoa(i + 1)
			said = strings.NewReplacer("["+n+"]", spanishCause(group), "<"+n+">", strings.Replace(group, ".", ",", 1), "{"+n+"}", group).Replace(said)
		}
		return said
	}
	return cause
}
