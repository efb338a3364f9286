package language

import (
	"maps"
	"regexp"
	"slices"
	"sync"
)

// spanish is made once, for its sentences are many. A switch is a cambio, a
// rollback a vuelta atrás, a bake an observación, a probe a sonda, a deploy a
// despliegue.
var spanish = sync.OnceValue(func() *Language {
	l := &Language{
		code: "es", point: ",", thousands: "\u202f", together: 10000, // the Academy's way
		units: units{days: "días", ago: "hace %s", now: "ahora mismo"},
	}
	for _, table := range []map[string]string{colours(), states(), steps(), results(), reasons(), causes(), figures(), databases()} {
		for _, english := range slices.Sorted(maps.Keys(table)) {
			l.phrases = append(l.phrases, phrase{regexp.MustCompile(`^(?:` + english + `)$`), table[english]})
		}
	}
	return l
})

func colours() map[string]string {
	return map[string]string{`blue`: `azul`, `green`: `verde`}
}

// states are what a drain, a pause and the like count.
func states() map[string]string {
	return map[string]string{
		`1 request`:                     `1 petición`,
		`([\d,]+) requests`:             `<1> peticiones`,
		`1 probe`:                       `1 sonda`,
		`([\d,]+) probes`:               `<1> sondas`,
		`1 long connection`:             `1 conexión larga`,
		`([\d,]+) long connections`:     `<1> conexiones largas`,
		`([\d,]+ requests?), (.+)`:      `[1], [2]`,
		`1 (?:running )?container`:      `1 contenedor`,
		`(\d+) (?:running )?containers`: `<1> contenedores`,
		`1 release`:                     `1 versión`,
		`(\d+) releases`:                `<1> versiones`,
		`([\d,]+ requests?) and ([\d,]+ long connections?) in flight`: `[1] y [2] en curso`,
		`nothing`:                          `nada`,
		`until the next deploy or cleanup`: `hasta el próximo despliegue o limpieza`,
	}
}

// steps are what an operation tells on its way.
func steps() map[string]string {
	return map[string]string{
		`(\S+) (.+) goes to (\S+)`:                               `{1} {2} va a [3]`,
		`image (.+) is here: (.+)`:                               `la imagen {1} está aquí: {2}`,
		`(\S+) is free, (.+) is gone`:                            `[1] está libre, {2} se ha retirado`,
		`started (\S+) on (\S+)`:                                 `{1} arrancado en {2}`,
		`waiting for ([^:]+)`:                                    `a la espera de {1}`,
		`waiting for ([^:]+): (.+)`:                              `a la espera de {1}: [2]`,
		`healthy after 1 probes`:                                 `sano tras 1 sonda`,
		`healthy after (\d+) probes`:                             `sano tras <1> sondas`,
		`production and internal now lead to (\S+)`:              `producción e interno llevan ahora a [1]`,
		`internal now leads to (\S+); production stays on (\S+)`: `interno lleva ahora a [1]; producción sigue en [2]`,
		`every gate lets (.+) pass`:                              `todos los controles dejan pasar {1}`,
		`gate health: (.+)`:                                      `control de salud: [1]`,
		`gate ([^: ]+): (.+)`:                                    `control {1}: [2]`,
		`gate ([^: ]+) overridden \((.+)\): (.+)`:                `control {1} anulado ({2}): [3]`,
		`(\S+) is healthy`:                                       `[1] está sano`,
		`production now leads to (\S+)`:                          `producción lleva ahora a [1]`,
		`production leads to (\S+) again`:                        `producción lleva de nuevo a [1]`,
		`production answers on (\S+)`:                            `producción responde en [1]`,
		`production answered (\d+) of (\d+ probes?) during the rollback, slowest (\S+)`: `producción respondió a <1> de [2] durante la vuelta atrás, la más lenta en <3>`,
		`production answered (\d+) of (\d+ probes?) during the \S+, slowest (\S+)`:      `producción respondió a <1> de [2] durante el cambio, la más lenta en <3>`,
		`lost (\d+), all before it had moved: (.+)`:                                     `perdió <1>, todas antes de moverse: [2]`,
		`lost (\d+) before it had moved and (\d+) after: (.+)`:                          `perdió <1> antes de moverse y <2> después: [3]`,
		`lost (\d+): (.+)`: `perdió <1>: [2]`,
		`(\S+) drains \((.+)\) and is then stopped, its logs are kept`:         `[1] se drena ([2]) y después se para; se conservan sus registros`,
		`(\S+) is drained, its container is gone`:                              `[1] está drenado y su contenedor retirado`,
		`draining (blue|green): (.+)`:                                          `drenando [1]: [2]`,
		`the drain of (\S+) was called off`:                                    `se interrumpió el drenaje de [1]`,
		`ended at their deadline: (.+)`:                                        `cortado al vencer el plazo: [1]`,
		`rollback to (.+) ends here: its slot is needed`:                       `ya no se puede volver a {1}: hace falta su slot`,
		`(.+) by (\S+) was interrupted in step "(.+)"`:                         `se interrumpió «{1}» de {2} en el paso «{3}»`,
		`(\d+ containers?) compared with the recorded state`:                   `[1] comparados con el estado registrado`,
		`(.+) runs on (\S+) again`:                                             `{1} vuelve a correr en [2]`,
		`removing (\S+), which no slot holds`:                                  `se retira {1}, que no está en ningún slot`,
		`stopping (\S+), which had failed`:                                     `se para {1}, que había fallado`,
		`(\d+ releases?) beyond the newest (\d+) pruned`:                       `podadas [1] anteriores a las <2> últimas`,
		`nothing was recorded`:                                                 `no había nada registrado`,
		`(\d+ running containers?) taken over by their marks, (\S+) is active`: `[1] reconocidos por sus marcas, [2] está en vivo`,
		`clearing up: (.+)`:                                                    `al limpiar: {1}`,
		`this is tried again in the background`:                                `se reintenta en segundo plano`,
		`the end of this operation could not be recorded: (.+)`:                `no se pudo registrar el final de esta operación: {1}`,
	}
}

// results are what an operation has come to.
func results() map[string]string {
	return map[string]string{
		`(.+) is live on (\S+), watched for (.+)`:            `{1} está en vivo en [2], en observación durante <3>`,
		`(.+) is live on (\S+)`:                              `{1} está en vivo en [2]`,
		`(.+) is active on (\S+)`:                            `{1} está en vivo en [2]`,
		`(.+) is ready for tests on (\S+)`:                   `{1} está lista para pruebas en [2]`,
		`production is back on (\S+) with ([^:]+): (.+)`:     `producción vuelve a estar en [1] con {2}: [3]`,
		`production is back on (\S+) with ([^:]+)`:           `producción vuelve a estar en [1] con {2}`,
		`(.+) is discarded, (\S+) is empty`:                  `{1} descartada, [2] queda vacío`,
		`(.+) is removed, (\S+) is empty`:                    `{1} retirada, [2] queda vacío`,
		`(\S+) is empty already`:                             `[1] ya está vacío`,
		`(\S+) is drained`:                                   `[1] está drenado`,
		`(\S+) is drained, nothing was cut`:                  `[1] está drenado, no se cortó nada`,
		`the drain of (\S+) was called off, nothing was cut`: `se interrumpió el drenaje de [1], no se cortó nada`,
		`the running deploy was aborted`:                     `se ha abortado el despliegue en marcha`,
		`production is paused, for (\S+) at most`:            `producción en pausa, <1> como máximo`,
		`production is paused already, since (\S+) by (\S+)`: `producción ya está en pausa, desde las {1} por {2}`,
		`it now ends by itself in (\S+)`:                     `ahora termina por sí sola en <1>`,
		`production is not paused`:                           `producción no está en pausa`,
		`production goes on after (\S+)`:                     `producción sigue tras <1>`,
		`the pause has ended by itself after (\S+)`:          `la pausa terminó por sí sola tras <1>`,
		`held: (\d+ requests?)`:                              `retenidas: [1]`,
		`held: (\d+ requests?), and (\d+) more requests? turned away, for there was no place left`: `retenidas: [1], y <2> más rechazadas por falta de sitio`,
		`production shows the maintenance page`:                                                    `producción muestra la página de mantenimiento`,
		`maintenance is on already, since (.+) by (\S+)`:                                           `el mantenimiento ya está activo, desde {1} por {2}`,
		`maintenance is off`: `el mantenimiento no está activo`,
		`production serves again, after (\S+) of maintenance`:              `producción sirve de nuevo, tras <1> de mantenimiento`,
		`there are no links past it: (.+)`:                                 `no hay enlaces que la eviten: {1}`,
		`routes and containers are as recorded`:                            `las rutas y los contenedores están como constan`,
		`(\d+ containers?) brought back to the recorded state`:             `[1] devueltos al estado registrado`,
		`the bake of (.+?) has ended as good`:                              `la observación de {1} ha terminado bien`,
		`the bake of (.+?) has ended as good, because (\S+) says so: (.+)`: `la observación de {1} ha terminado bien, porque lo dice {2}: [3]`,
		`the bake of (.+?) has ended undecided, for want of data: (.+)`:    `la observación de {1} ha terminado sin datos suficientes: [2]`,
		`rollback stays ready until the next deploy or cleanup`:            `se puede volver atrás hasta el próximo despliegue o limpieza`,
	}
}

// reasons are why something cannot be, or needs somebody.
func reasons() map[string]string {
	return map[string]string{
		`nothing has been deployed yet`:                                                     `aún no se ha desplegado nada`,
		`no previous release is warm`:                                                       `no hay ninguna versión anterior caliente`,
		`(.+) on (\S+) is unhealthy: (.+)`:                                                  `{1} no está sana en [2]: [3]`,
		`(.+) on (\S+) does not answer yet: (.+)`:                                           `{1} aún no responde en [2]: [3]`,
		`(.+) on (\S+) has not been probed yet`:                                             `{1} aún no se ha sondeado en [2]`,
		`(\S+) does not answer its health check: (.+)`:                                      `[1] no responde a su sonda de salud: [2]`,
		`(\S+) answers again, but has not been healthy for (\d+) probes in a row`:           `[1] vuelve a responder, pero no ha estado sano <2> sondas seguidas`,
		`neither release answers as it should: production is on (\S+), nothing was stopped`: `ninguna de las dos versiones responde como debe: producción está en [1] y no se ha parado nada`,
		`the previous release does not answer either`:                                       `la versión anterior tampoco responde`,
		`(.+) is unhealthy on (\S+) and cannot be rolled back: (.+)`:                        `{1} no está sana en [2] y no se puede volver atrás: [3]`,
		`the figures speak against (.+?) on (\S+), and it cannot be rolled back: (.+)`:      `las cifras hablan en contra de {1} en [2], y no se puede volver atrás: [3]`,
		`(.+) runs on both slots and nothing is recorded: which one is active\?`:            `{1} corre en los dos slots y no hay nada registrado: ¿cuál está en vivo?`,
		"(\\d+ (?:running )?containers?) of this app but no recorded state: nothing is touched; check `state.dir`, or let `bluegreen recover` remove them": "[1] de esta aplicación y ningún estado registrado: no se toca nada; revisa `state.dir`, o deja que `bluegreen recover` los retire",
	}
}

// causes are why the team is told, or production was moved.
func causes() map[string]string {
	return map[string]string{
		`it answers its health checks again`:                                                     `vuelve a responder a sus sondas`,
		`nothing is to run in this slot now`:                                                     `en este slot ya no tiene que correr nada`,
		`it has been running and healthy for (\S+)`:                                              `lleva <1> funcionando y sano`,
		`it is the first release of the app`:                                                     `es la primera versión de la aplicación`,
		`it exited with code (\d+)`:                                                              `terminó con el código {1}`,
		`it died, nobody knows with which exit code`:                                             `se cayó, no se sabe con qué código`,
		`the kernel killed it for lack of memory \(exit code (-?\d+)\)`:                          `el kernel lo mató por falta de memoria (código {1})`,
		`it has died (\d+) times in (\S+)`:                                                       `se ha caído <1> veces en <2>`,
		`(\S+) exited with code (\d+) before it was healthy`:                                     `{1} terminó con el código {2} antes de estar sano`,
		`(\S+) was not healthy within (\S+): (.+)`:                                               `{1} no llegó a estar sano en <2>: [3]`,
		`(\S+) was not healthy within (\S+)`:                                                     `{1} no llegó a estar sano en <2>`,
		`(.+) became unhealthy in the bake: (.+)`:                                                `{1} dejó de estar sana en observación: [2]`,
		`the figures speak against (.+?): (.+)`:                                                  `las cifras hablan en contra de {1}: [2]`,
		`production did not answer on (\S+) after the switch: (.+)`:                              `producción no respondió en [1] después del cambio: [2]`,
		`(/\S*) answered (\d+)`:                                                                  `{1} respondió {2}`,
		`answered (\d+)(?: .+)?`:                                                                 `respondió {1}`,
		`no answer within (.+)`:                                                                  `sin respuesta en <1>`,
		`connection refused`:                                                                     `conexión rechazada`,
		`connection reset`:                                                                       `conexión cortada`,
		`the connection was closed before the answer was complete`:                               `la conexión se cerró antes de que la respuesta estuviera completa`,
		`the public listener does not answer`:                                                    `el puerto público no responde`,
		`the public listener does not answer: (.+)`:                                              `el puerto público no responde: [1]`,
		`it expires on (\S+), in (\d+) d, and was not renewed`:                                   `caduca el {1}, en {2} d, y no se ha renovado`,
		`it expires on (\S+), in (\d+) d, and was not renewed: (.+)`:                             `caduca el {1}, en {2} d, y no se ha renovado: {3}`,
		`it expired on (\S+)`:                                                                    `caducó el {1}`,
		`it expired on (\S+): (.+)`:                                                              `caducó el {1}: {2}`,
		`there is no certificate yet`:                                                            `aún no hay certificado`,
		`there is no certificate yet: (.+)`:                                                      `aún no hay certificado: {1}`,
		`(\S+) % of it is used, (\S+) GB are free`:                                               `usado el <1> %; quedan <2> GB libres`,
		`(\S+) % of its inodes are used, there is room for (\d+) more files`:                     `usado el <1> % de los inodos; caben <2> archivos más`,
		`(\d+) of (\d+) requests \((\S+) %\) have failed in (\d+) minutes, the limit is (\S+) %`: `han fallado <1> de <2> peticiones (<3> %) en <4> minutos; el límite es <5> %`,
	}
}
