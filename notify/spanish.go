package notify

import (
	"fmt"

	"sofiacall.com/bluegreen/language"
	"sofiacall.com/bluegreen/switcher"
)

func spanish() *words {
	return &words{
		Language: language.Of("es"), title: spanishTitle, advice: spanishAdvice,
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
	release, slot := or(f.release, "la versión"), or(language.Of("es").Say(f.colour), "el backend")
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
	case switcher.NoticeDatabase:
		said = "la base de datos" + what(" no responde", " sigue sin responder", " vuelve a responder")
	case switcher.NoticeSchema:
		said = "el esquema de la base de datos" + what(" se cambió a mano", " sigue sin estar como se desplegó", " vuelve a estar como debe")
		if f.colour != "" {
			said = slot + what(" no es compatible con el esquema de la base de datos", " sigue sin ser compatible con el esquema de la base de datos",
				" vuelve a ser compatible con el esquema de la base de datos")
		}
	case switcher.NoticeBackup:
		said = what("no hay ninguna copia buena de la base de datos", "sigue sin haber ninguna copia buena de la base de datos", "vuelve a haber una copia buena de la base de datos")
	case switcher.NoticeStuck:
		said = what("alguien tiene que mirarlo", "alguien tiene que mirarlo todavía", "ya no hace falta que nadie lo mire")
	case switcher.NoticeReady:
		said = fmt.Sprintf("%s está lista para probarse en %s", release, slot)
	case switcher.NoticeDeployFailed:
		said = fmt.Sprintf("ha fallado el despliegue de %s; producción no se tocó", release)
	case switcher.NoticeSwitched:
		said = fmt.Sprintf("producción está ahora en %s, con %s", slot, release)
	case switcher.NoticeRolledBack:
		said = fmt.Sprintf("producción ha vuelto de %s a %s", or(f.previous, "la versión nueva"), release)
	case switcher.NoticeVerdict:
		switch {
		case f.outcome == switcher.Good:
			said = fmt.Sprintf("%s va bien y deja de estar bajo observación", release)
		case f.person != "":
			said = fmt.Sprintf("%s deja de estar bajo observación, porque %s dice que va bien", release, f.person)
		case f.outcome == switcher.Bad:
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

func spanishAdvice(f facts) []advice {
	logs := advise("lee su registro", f.logs(f.colour))
	rollback := advise("si producción está ahí, vuelve atrás", "bluegreen rollback"+f.flags)
	switch f.kind {
	case switcher.NoticeUnhealthy:
		return []advice{logs, rollback}
	case switcher.NoticeDied:
		return []advice{logs, advise("arráncalo de nuevo", "bluegreen recover"+f.flags), rollback}
	case switcher.NoticeCertificate:
		return []advice{
			advise("comprueba que el nombre apunta a este servidor y que el puerto 80 está abierto a internet", "bluegreen status"+f.flags),
			advise("lee lo que dice la CA", "journalctl -u bluegreen -n 100"),
		}
	case switcher.NoticeDisk:
		return []advice{
			advise("busca qué ocupa tanto", "du -xh --max-depth=2 "+f.subject+" | sort -h | tail"),
			advise("elimina las versiones que no hacen falta", "bluegreen cleanup"+f.flags),
		}
	case switcher.NoticeLogs:
		lines := "las líneas esperan"
		if f.loses() {
			lines = "pero se pierden líneas"
		}
		return []advice{advise("se sigue sirviendo, "+lines+": haz sitio o mira quién puede escribir ahí", "df -h; ls -l "+f.subject)}
	case switcher.NoticeErrorRate:
		return []advice{
			advise("compara las dos versiones", "bluegreen compare"+f.flags), logs,
			advise("si la culpa es del último cambio, vuelve atrás", "bluegreen rollback"+f.flags),
		}
	case switcher.NoticeDatabase:
		return []advice{advise("producción se queda donde está y no se despliega nada hasta que responda", "bluegreen status"+f.flags)}
	case switcher.NoticeSchema:
		check := advise("mira qué es distinto y cuál es la forma segura de cambiarlo", "bluegreen db check"+f.flags)
		if f.colour != "" {
			return []advice{check, advise("solo se puede volver atrás aceptando cada hallazgo", "bluegreen rollback --allow ID --reason TEXTO"+f.flags)}
		}
		return []advice{check, advise("si tiene que quedarse así", "bluegreen db accept"+f.flags)}
	case switcher.NoticeBackup:
		return []advice{
			advise("haz una ahora y mira por qué falla", "bluegreen db backup"+f.flags),
			advise("mira cuáles hay", "bluegreen db backups"+f.flags),
		}
	case switcher.NoticeStuck:
		return []advice{
			advise("mira qué pasa", "bluegreen status"+f.flags),
			advise("y arréglalo", "bluegreen recover"+f.flags),
		}
	case switcher.NoticeReady:
		return []advice{
			advise("pruébala en "+or(f.subject, "los hosts internos")+" y después mueve producción", "bluegreen switch"+f.flags),
			advise("o abandónala", "bluegreen discard"+f.flags),
		}
	case switcher.NoticeDeployFailed:
		return []advice{logs, advise("corrígelo y despliega de nuevo", "bluegreen deploy COMMIT"+f.flags)}
	case switcher.NoticeSwitched:
		watch := advise("obsérvala", "bluegreen status --watch"+f.flags)
		if f.previous == "" {
			return []advice{watch}
		}
		return []advice{watch, advise("si va mal, vuelve atrás", "bluegreen rollback"+f.flags)}
	case switcher.NoticeRolledBack:
		return []advice{
			advise("los registros de la versión fallida se conservan", f.logs(f.other)),
			advise("mira qué ocurrió", "bluegreen history"+f.flags),
		}
	case switcher.NoticeVerdict:
		if f.outcome == switcher.Good {
			return []advice{advise("nada; la anterior sigue caliente hasta el próximo despliegue", "")}
		}
		return []advice{
			advise("compara las dos versiones", "bluegreen compare"+f.flags),
			advise("si va mal, vuelve atrás", "bluegreen rollback"+f.flags),
		}
	}
	return nil
}
