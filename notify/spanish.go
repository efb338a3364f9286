package notify

import (
	"fmt"

	"sofiacall.com/bluegreen/switcher"
)

func spanish() *words {
	return &words{
		title: spanishTitle, advice: spanishAdvice, finding: spanishFinding, because: spanishCause,
		verdict: map[switcher.Outcome]string{switcher.Good: "bien", switcher.Bad: "mal", switcher.Undecided: "faltan datos"},
		slot:    "Slot", release: "Versión", commit: "Commit", image: "Imagen", previous: "Antes", output: "Dijo", cause: "Motivo", by: "Lo hizo",
		next: "Qué hacer", figures: "Cifras de", lost: "Faltan",
		self:  "bluegreen por sí solo",
		since: func(began, lasted string) string { return fmt.Sprintf("Dura desde %s, hace %s.", began, lasted) },
		lasted: func(began, lasted string, returned int) string {
			s := fmt.Sprintf("Empezó a las %s y duró %s", began, lasted)
			switch returned {
			case 0:
				return s + "."
			case 1:
				return s + "; entretanto volvió una vez."
			}
			return fmt.Sprintf("%s; entretanto volvió %d veces.", s, returned)
		},
		lostOf: func(count int) string {
			if count == 1 {
				return "un aviso anterior no se pudo entregar aquí."
			}
			return fmt.Sprintf("%d avisos anteriores no se pudieron entregar aquí.", count)
		},
		testing: "Esto es una prueba. Si lo lees, los avisos llegan aquí.",
	}
}

func spanishTitle(f facts) string {
	what := func(began, lasts, ended string) string {
		switch {
		case f.stage == Lasts:
			return lasts
		case f.stage == Ended:
			return ended
		}
		return began
	}
	release, slot := or(f.release, "la versión"), or(f.colour, "el backend")
	var said string
	switch f.kind {
	case switcher.NoticeUnhealthy:
		said = slot + what(" no está sano", " sigue sin estar sano", " ya no está mal")
	case switcher.NoticeDied:
		said = slot + what(" se ha caído", " sigue mal desde que se cayó", " ya no está caído")
	case switcher.NoticeCertificate:
		said = "el certificado de " + f.subject + what(" requiere atención", " sigue requiriendo atención", " vuelve a estar en orden")
	case switcher.NoticeDisk:
		said = "el disco de " + f.subject + what(" está casi lleno", " sigue casi lleno", " vuelve a tener espacio")
	case switcher.NoticeLogs:
		said = what("no se puede escribir ", "sigue sin poderse escribir ", "ya se puede escribir ") + f.subject
	case switcher.NoticeErrorRate:
		said = "producción" + what(" falla demasiado", " sigue fallando demasiado", " vuelve a responder como debe")
	case switcher.NoticeStuck:
		said = what("alguien tiene que mirarlo", "alguien tiene que mirarlo todavía", "ya no hace falta que nadie lo mire")
	case switcher.NoticeReady:
		said = fmt.Sprintf("%s está lista para probarse en %s", release, slot)
	case switcher.NoticeDeployFailed:
		said = fmt.Sprintf("ha fallado el deploy de %s; producción no se tocó", release)
	case switcher.NoticeSwitched:
		said = fmt.Sprintf("producción está ahora en %s, con %s", slot, release)
	case switcher.NoticeRolledBack:
		said = fmt.Sprintf("producción ha vuelto de %s a %s", or(f.previous, "la versión nueva"), release)
	case switcher.NoticeVerdict:
		switch f.outcome {
		case switcher.Good:
			said = fmt.Sprintf("%s va bien y deja de estar bajo observación", release)
		case switcher.Bad:
			said = fmt.Sprintf("%s va mal", release)
		default:
			said = fmt.Sprintf("%s deja de estar bajo observación; no hubo datos suficientes para juzgarla", release)
		}
	default:
		said = "prueba de los avisos"
		if f.stage != Trial {
			said = what(string(f.kind), string(f.kind), string(f.kind)+" ha terminado")
		}
	}
	if f.returned && f.stage == Began {
		said = "otra vez, " + said
	}
	return f.app + ": " + said
}

func spanishAdvice(f facts) []line {
	next := func(value, command string) line { return line{label: "Qué hacer", value: value, command: command} }
	logs := next("lee su registro", f.logs(f.colour))
	rollback := next("si producción está ahí, vuelve atrás", "bluegreen rollback"+f.flags)
	switch f.kind {
	case switcher.NoticeUnhealthy:
		return []line{logs, rollback}
	case switcher.NoticeDied:
		return []line{logs, next("arráncalo de nuevo", "bluegreen recover"+f.flags), rollback}
	case switcher.NoticeCertificate:
		return []line{
			next("comprueba que el nombre apunta a este servidor y que el puerto 80 está abierto a internet", "bluegreen status"+f.flags),
			next("lee lo que dice la CA", "journalctl -u bluegreen -n 100"),
		}
	case switcher.NoticeDisk:
		return []line{
			next("busca qué ocupa tanto", "du -xh --max-depth=2 "+f.subject+" | sort -h | tail"),
			next("elimina las versiones que no hacen falta", "bluegreen cleanup"+f.flags),
		}
	case switcher.NoticeLogs:
		return []line{next("se sigue sirviendo, pero se pierden líneas: haz sitio o mira quién puede escribir ahí", "df -h; ls -l "+f.subject)}
	case switcher.NoticeErrorRate:
		return []line{
			next("compara las dos versiones", "bluegreen compare"+f.flags), logs,
			next("si la culpa es del último switch, vuelve atrás", "bluegreen rollback"+f.flags),
		}
	case switcher.NoticeStuck:
		return []line{
			next("mira qué pasa", "bluegreen status"+f.flags),
			next("y arréglalo", "bluegreen recover"+f.flags),
		}
	case switcher.NoticeReady:
		return []line{
			next("pruébala en "+or(f.subject, "los hosts internos")+" y después mueve producción", "bluegreen switch"+f.flags),
			next("o abandónala", "bluegreen discard"+f.flags),
		}
	case switcher.NoticeDeployFailed:
		return []line{logs, next("corrígelo y despliega de nuevo", "bluegreen deploy COMMIT"+f.flags)}
	case switcher.NoticeSwitched:
		watch := next("obsérvala", "bluegreen status --watch"+f.flags)
		if f.previous == "" {
			return []line{watch}
		}
		return []line{watch, next("si va mal, vuelve atrás", "bluegreen rollback"+f.flags)}
	case switcher.NoticeRolledBack:
		return []line{
			next("los registros de la versión fallida se conservan", f.logs(f.other)),
			next("mira qué ocurrió", "bluegreen history"+f.flags),
		}
	case switcher.NoticeVerdict:
		if f.outcome == switcher.Good {
			return []line{next("nada; la anterior sigue caliente hasta el próximo deploy", "")}
		}
		return []line{
			next("compara las dos versiones", "bluegreen compare"+f.flags),
			next("si va mal, vuelve atrás", "bluegreen rollback"+f.flags),
		}
	}
	return nil
}
