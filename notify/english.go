package notify

import (
	"fmt"

	"sofiacall.com/bluegreen/language"
	"sofiacall.com/bluegreen/switcher"
)

func english() *words {
	return &words{
		Language: language.Of("en"), title: englishTitle, advice: englishAdvice,
		verdict: map[switcher.Outcome]string{switcher.Good: "good", switcher.Bad: "bad", switcher.Undecided: "not enough data"},
		slot:    "Slot", release: "Release", commit: "Commit", image: "Image", previous: "Before", output: "It said", cause: "Cause", by: "By",
		next: "Next", figures: "Figures of", lost: "Missing",
		self: "bluegreen itself",
		since: func(began, lasted string) string {
			return fmt.Sprintf("It has lasted since %s, for %s.", began, lasted)
		},
		lasted: func(began, lasted string, returned int) string {
			s := fmt.Sprintf("It began at %s and lasted %s", began, lasted)
			switch returned {
			case 0:
				return s + "."
			case 1:
				return s + "; it came back once meanwhile."
			}
			return fmt.Sprintf("%s; it came back %d times meanwhile.", s, returned)
		},
		lostOf: func(count int) string {
			if count == 1 {
				return "one message before this one could not be delivered here."
			}
			return fmt.Sprintf("%d messages before this one could not be delivered here.", count)
		},
		testing: "This is a test. If you read it, alerts arrive here.",
	}
}

func englishTitle(f facts) string {
	what := func(began, lasts, ended string) string {
		switch {
		case f.stage == Lasts:
			return lasts
		case f.stage == Ended:
			return ended
		case f.returned:
			return began + " again"
		}
		return began
	}
	release, slot := or(f.release, "a release"), or(f.colour, "the backend")
	var said string
	switch f.kind {
	case switcher.NoticeUnhealthy:
		said = slot + what(" is unhealthy", " is still unhealthy", " is no longer unhealthy")
	case switcher.NoticeDied:
		said = slot + what(" has died", " is still in trouble after it died", " is no longer dead")
	case switcher.NoticeCertificate:
		said = "the certificate of " + f.subject + what(" needs attention", " still needs attention", " is in order again")
	case switcher.NoticeDisk:
		said = "the disk of " + f.subject + what(" is nearly full", " is still nearly full", " has room again")
	case switcher.NoticeLogs:
		if f.returned && f.stage == Began { // "cannot be written again" would be something else
			return f.app + ": " + f.subject + " again cannot be written"
		}
		said = f.subject + what(" cannot be written", " still cannot be written", " is written again")
	case switcher.NoticeErrorRate:
		said = "production" + what(" fails too often", " still fails too often", " answers as it should again")
	case switcher.NoticeDatabase:
		said = "the database" + what(" does not answer", " still does not answer", " answers again")
		if f.returned && f.stage == Began {
			said = "the database again does not answer"
		}
	case switcher.NoticeSchema:
		said = "the schema of the database" + what(" was changed by hand", " is still not as it was deployed", " is as it should be again")
		if f.colour != "" {
			said = slot + what(" cannot live with the schema of the database", " still cannot live with the schema of the database", " and the schema of the database fit again")
		}
	case switcher.NoticeBackup:
		said = what("there is no good backup of the database", "there is still no good backup of the database", "the database has a good backup again")
	case switcher.NoticeStuck:
		said = what("somebody must look", "somebody must still look", "nobody has to look any more")
	case switcher.NoticeReady:
		said = fmt.Sprintf("%s is ready for tests in %s", release, slot)
	case switcher.NoticeDeployFailed:
		said = fmt.Sprintf("the deploy of %s has failed, production was not touched", release)
	case switcher.NoticeSwitched:
		said = fmt.Sprintf("production is on %s now, with %s", slot, release)
	case switcher.NoticeRolledBack:
		said = fmt.Sprintf("production was rolled back from %s to %s", or(f.previous, "a release"), release)
	case switcher.NoticeVerdict:
		switch {
		case f.outcome == switcher.Good:
			said = fmt.Sprintf("%s has done well, it is no longer watched", release)
		case f.person != "":
			said = fmt.Sprintf("%s is no longer watched, because %s says that it is good", release, f.person)
		case f.outcome == switcher.Bad:
			said = fmt.Sprintf("%s does badly", release)
		default:
			said = fmt.Sprintf("%s is no longer watched, there was not enough data for a verdict", release)
		}
	default:
		said = "test of alerts"
		if f.stage != Trial {
			said = what(string(f.kind), string(f.kind), string(f.kind)+" is over")
		}
	}
	return f.app + ": " + said
}

func englishAdvice(f facts) []advice {
	logs := advise("read its log", f.logs(f.colour))
	rollback := advise("if production is on it, go back", "bluegreen rollback"+f.flags)
	switch f.kind {
	case switcher.NoticeUnhealthy:
		return []advice{logs, rollback}
	case switcher.NoticeDied:
		return []advice{logs, advise("start it again", "bluegreen recover"+f.flags), rollback}
	case switcher.NoticeCertificate:
		return []advice{
			advise("see that the name leads to this server and port 80 is open to the internet", "bluegreen status"+f.flags),
			advise("read what the CA says", "journalctl -u bluegreen -n 100"),
		}
	case switcher.NoticeDisk:
		return []advice{
			advise("find what is large", "du -xh --max-depth=2 "+f.subject+" | sort -h | tail"),
			advise("remove the releases that are not needed", "bluegreen cleanup"+f.flags),
		}
	case switcher.NoticeLogs:
		lines := "the lines wait"
		if f.loses() {
			lines = "lines are lost"
		}
		return []advice{advise("serving goes on, "+lines+": make room, or see who may write there", "df -h; ls -l "+f.subject)}
	case switcher.NoticeErrorRate:
		return []advice{
			advise("compare both releases", "bluegreen compare"+f.flags), logs,
			advise("if the last switch is to blame, go back", "bluegreen rollback"+f.flags),
		}
	case switcher.NoticeDatabase:
		return []advice{advise("production stays where it is, and nothing is deployed until it answers", "bluegreen status"+f.flags)}
	case switcher.NoticeSchema:
		check := advise("see what is different, and the safe way to change it", "bluegreen db check"+f.flags)
		if f.colour != "" {
			return []advice{check, advise("going back is only possible finding by finding", "bluegreen rollback --allow ID --reason TEXT"+f.flags)}
		}
		return []advice{check, advise("if it is to stay so", "bluegreen db accept"+f.flags)}
	case switcher.NoticeBackup:
		return []advice{
			advise("make one now, and see why it fails", "bluegreen db backup"+f.flags),
			advise("see which ones there are", "bluegreen db backups"+f.flags),
		}
	case switcher.NoticeStuck:
		return []advice{
			advise("see what is wrong", "bluegreen status"+f.flags),
			advise("then put it right", "bluegreen recover"+f.flags),
		}
	case switcher.NoticeReady:
		return []advice{
			advise("test it at "+or(f.subject, "the internal hosts")+", then move production", "bluegreen switch"+f.flags),
			advise("or give it up", "bluegreen discard"+f.flags),
		}
	case switcher.NoticeDeployFailed:
		return []advice{logs, advise("mend it and deploy again", "bluegreen deploy COMMIT"+f.flags)}
	case switcher.NoticeSwitched:
		watch := advise("watch it", "bluegreen status --watch"+f.flags)
		if f.previous == "" {
			return []advice{watch}
		}
		return []advice{watch, advise("if it does badly, go back", "bluegreen rollback"+f.flags)}
	case switcher.NoticeRolledBack:
		return []advice{
			advise("the logs of the failed release are kept", f.logs(f.other)),
			advise("see what happened", "bluegreen history"+f.flags),
		}
	case switcher.NoticeVerdict:
		if f.outcome == switcher.Good {
			return []advice{advise("nothing; the one before stays warm until the next deploy", "")}
		}
		return []advice{
			advise("compare both releases", "bluegreen compare"+f.flags),
			advise("if it does badly, go back", "bluegreen rollback"+f.flags),
		}
	}
	return nil
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
