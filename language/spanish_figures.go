package language

// figures are what the rules of a verdict have measured.
func figures() map[string]string {
	const share = `([\d,]+ of [\d,]+ requests? \([\d.]+ %\)|[\d,]+ of [\d,]+ requests? in the last .+? \([\d.]+ %\))`
	return map[string]string{
		`no restarts`:                                                  `sin reinicios`,
		`restarted once, (\d+) is too often`:                           `reiniciada una vez; <1> son demasiadas`,
		`restarted (\d+) times, (\d+) is too often`:                    `reiniciada <1> veces; <2> son demasiadas`,
		`its probes succeed`:                                           `responde a sus sondas`,
		`its probes do not all succeed`:                                `no responde a todas sus sondas`,
		`([\d,]+) of ([\d,]+ requests?) \((\S+ %)\)`:                   `<1> de [2] (<3>)`,
		`([\d,]+) of ([\d,]+ requests?) in the last (.+?) \((\S+ %)\)`: `<1> de [2] en los últimos <3> (<4>)`,

		share + ` failed, (\S+ %) are too many`:                                                 `fallaron [1]; el <2> es demasiado`,
		share + ` failed or were given up, against (\S+ %) of ([\d,]+) on the previous release`: `fallaron o se abandonaron [1], frente al <2> de <3> en la versión anterior`,
		share + ` failed, against (\S+ %) of ([\d,]+) on the previous release`:                  `fallaron [1], frente al <2> de <3> en la versión anterior`,
		share + ` took longer than (.+?), 1 % may`:                                              `tardaron más de <2> [1]; se permite el 1 %`,
		`(.+), judged from ([\d,]+ requests?) on`:                                               `[1]; se juzga a partir de [2]`,
		`(.+), not enough to tell`:                                                              `[1]; no basta para decidir`,

		`the previous release was not asked enough to compare with`:                                                     `la versión anterior no tuvo peticiones suficientes para comparar`,
		`([\d,]+ requests?) so far, compared every (.+) from (\d+) on`:                                                  `[1] hasta ahora; se compara cada <2> a partir de <3>`,
		`p50 (.+) and p90 (.+) in the last ([\d,]+ requests?), (.+) and (.+) in ([\d,]+) before`:                        `p50 <1> y p90 <2> en las últimas [3]; antes, <4> y <5> en <6>`,
		`p50 (.+) and p90 (.+) in the last ([\d,]+ requests?), (.+) and (.+) in ([\d,]+) before, slower if it stays so`: `p50 <1> y p90 <2> en las últimas [3]; antes, <4> y <5> en <6>; más lenta si sigue así`,
	}
}
