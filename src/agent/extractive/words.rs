//! The vocabularies: by which words prompts, headings and sentences are told apart. All in small
//! letters. To teach it a language, add its words here.

pub use crate::text::Words;

// What stands in headings and lead-ins.
pub const NEXT_HEADING: Words = Words(
    "next|todo|to do|remaining|follow-up|followup|left to|what's left|recommend|suggest|outstanding|\
     not done|still open|nächste|offen|prochain|reste|siguiente|pendiente|próxim|дальше|осталось|\
     下一步|待办|次の|다음",
);
pub const DECISION_HEADING: Words = Words(
    "decision|decided|trade-off|tradeoff|design choice|entscheidung|décision|decisión|decisão|решени|决定",
);
pub const FOUND_HEADING: Words = Words(
    "root cause|cause|finding|found|problem|issue|analysis|why|how it works|overview|learned|\
     investigat|notes|ursache|befund|constat|problème|hallazgo|problema|причин|原因|发现|원인",
);
pub const DONE_HEADING: Words = Words(
    "change|did|done|completed|implemented|fixed|summary|added|result|updated|created|fix|solution|\
     files|cambio|änderung|modifi|résumé|zusammenfassung|resumen|изменени|сделано|变更|変更|变动|修改|변경",
);

// What sentences begin with.
pub const NEXT_BEGIN: Words = Words(
    "next|todo|to do:|remaining|still to|still need|still open|still missing|open: |left: |left to |\
     left open|what is left|what's left|what remains|follow-up|followup|not yet|not done|to go on|to continue,|i need |\
     i still need|we still need|waiting for|blocked by|blocked on|you'll need|\
     you will need|you may want|you might want|i recommend|i'd recommend|i suggest|consider |\
     als nächstes|nächster|nächste schritte|noch offen|offen: |noch zu tun|es fehlt noch|prochaine|\
     ensuite|il reste|reste à|à faire|siguiente|falta|queda pendiente|quedan pendientes|pendiente|\
     queda por|próximo|осталось|下一步|接下来|次は|다음",
);
// Labels in front of a cause.
pub const CAUSE_LABEL: Words =
    Words("cause|root cause|the cause|ursache|cause racine|causa|causa raíz|причина");
// Headings that ask: what stands below them answers.
pub const ASKING: Words =
    Words("how |where |what happens|why |when |before you|wie |wo |warum |cómo |dónde |por qué ");
// Deeds in languages that put the verb elsewhere or write it in two words.
pub const DONE_BEGIN: Words = Words(
    "the fix is |the fix was |the solution is |the solution was |ich habe |wir haben |habe |he |hemos |se ha |se han |j'ai |nous avons |ho |abbiamo |я |мы ",
);
// Words of `DONE` that also tell somebody else to do it.
pub const ALSO_IMPERATIVE: Words = Words("set|cut|split|put|let|bound|he|used|made|built");
// Labels in front of what is still to do; the field they end up in says the same.
pub const NEXT_LABEL: Words = Words(
    "next|next step|next steps|todo|to do|remaining|remaining work|still open|still to do|\
     still missing|open|left|left to do|left open|what is left|what's left|what remains|follow-up|\
     follow-ups|followup|not yet done|not done|not done yet|als nächstes|nächster schritt|\
     nächste schritte|noch offen|offen|noch zu tun|prochaine étape|prochaines étapes|reste à faire|\
     à faire|siguiente paso|siguientes pasos|próximo paso|próximos pasos|pendiente|queda pendiente|\
     falta|осталось|下一步|다음",
);
pub const LEADS: Words = Words(
    "also |and |then |now |i've |i have |i also |i |we've |we have |we |successfully |finally, |first, ",
);
pub const DONE: Words = Words(
    "added|adapted|adjusted|applied|bumped|built|changed|cleaned|closed|committed|configured|\
     consolidated|converted|copied|corrected|covered|created|cut|deduplicated|defined|deleted|\
     deployed|disabled|documented|dropped|enabled|ensured|exposed|extended|extracted|fixed|\
     formatted|generated|guarded|handled|hardened|implemented|improved|increased|inlined|installed|\
     integrated|introduced|limited|made|merged|migrated|modified|moved|optimized|patched|pinned|\
     ported|pushed|reduced|refactored|registered|removed|renamed|reordered|repaired|replaced|\
     resolved|restored|restructured|reverted|rewrote|rewritten|set|simplified|split|switched|\
     tested|tightened|translated|tuned|unified|updated|upgraded|used|validated|verified|wired|\
     wrapped|wrote|parametrized|archived|backfilled|bound|cherry-picked|downgraded|drained|\
     encrypted|ended|filed|granted|imported|labelled|launched|mounted|opened|posted|provisioned|\
     published|rebased|rebooted|recreated|released|rescheduled|restarted|revoked|rolled|rotated|\
     scaled|scheduled|sent|shortened|started|stopped|tagged|triggered|uninstalled|uploaded|\
     hinzugefügt|behoben|geändert|ajouté|corrigé|supprimé|añadido|\
     corregido|eliminado|добавлен|добавил|исправлен|исправил",
);

// What sentences hold.
pub const DECIDED: Words = Words(
    "decided to|decided against|i decided|we decided|i chose|we chose|chose to|opted for|opted to|went with|going with|trade-off|\
     tradeoff|entschieden|entschied |j'ai choisi|decidí|решил",
);
pub const FOUND: Words = Words(
    "i tried|i first tried|what was tried|put back: |did not help|didn't help|made no difference|root cause|turned out|turns out|caused by|the cause|the reason|the bug was|the bug is|the problem was|\
     the problem is|the issue was|the issue is|i found|found that|discovered|because |happens when|\
     due to |die ursache|lag daran|la cause|parce que|la causa|porque |причина|потому что|原因",
);
// What the user has to do or to decide, whatever else the sentence says.
pub const YOURS: Words = Words(
    "you need to |you'll need to |you will need to |you'll have to |you will have to |\
     needs a decision|needs your decision|is your call|is up to you|musst du |müssen sie |\
     tendrás que |tendrá que |il vous faudra |tu devras ",
);
pub const NEXT: Words = Words(
    " should |remains to|remains open|still open|still needs|still need to|still missing|needs to be|\
     left to do|todo|next step|follow-up|not implemented yet|not covered yet|not yet |isn't yet |\
     sollte |sollten |noch nicht|fehlt noch|devrait|pas encore|debería|queda pendiente|todavía no|\
     следует|нужно ещё",
);
// What only sounds like it: `behaviour should be unchanged`.
pub const EXPECTED: Words = Words(
    "should be unchanged|should be the same|should be identical|should be fine|should be safe|\
     should work|should now |should behave|should stay|should pass|should not change|\
     shouldn't change|should not affect|shouldn't affect",
);
// What was to be and is now.
pub const NOW: Words =
    Words(" now | now.| now,| now:| now;| jetzt | nun | ahora | désormais | maintenant | теперь ");
pub const FINISHED: Words = Words(
    " pass.| pass,|all green|tests pass| passed|passing|has been |have been |\
     were added|was added|was removed|is clean|implemented and|is done|is complete|committed|pushed",
);
// What was, and what came of it; what is now so is a result instead.
pub const THEREFORE: Words = Words(
    ", so |which is why|that is why|that's why|which made |which meant|, deshalb |, daher |, weshalb |\
     c'est pourquoi|, donc |por eso|así que|поэтому",
);
// A sentence that begins so names the cause and nothing else.
pub const CAUSE_BEGIN: Words = Words(
    "the cause was |the cause is |the root cause was |the root cause is |root cause: |cause: |\
     the bug was |the bug is |the problem was |the problem is |the issue was |the issue is |\
     the reason was |the reason is |the culprit was |the culprit is |it was caused by |\
     die ursache war |die ursache ist |der fehler war |ursache: |schuld war |la cause était |\
     la cause est |le problème était |la causa era |la causa es |la causa fue |el problema era |\
     causa: |причина была |причина в |причина: |原因是",
);
pub const EXPLAINS: Words = Words(
    " is defined in| lives in| is stored in| are stored in| is set | defaults to| works by| is called |\
     is handled | uses | means ",
);

// Talk.
pub const OPENINGS: Words = Words(
    "Good|Great|Perfect|Excellent|Done|All done|Yes|No|Okay|OK|Right|Indeed|Sure|Important|Note|\
     Answer|Short answer|Conclusion|Key finding|Finding|TL;DR|Result|Update|Got it|Fixed it|Found it|Found the bug|Found the problem|Found the issue|\
     Found the cause|Found the culprit|Nailed it|Gefunden|Encontrado|Trouvé|Ja|Oui|Sí",
);
pub const PLEASANT: Words = Words(
    "done|fixed|committed|pushed|found it|found the bug|found the problem|found the issue|\
     found the cause|found the culprit|nailed it|gefunden|encontrado|trouvé|all done|great|perfect|sure|ok|okay|yes|no|thanks|good|all set|fertig|listo|terminé|\
     summary|everything is clean|all green|everything works|here you go|finished|complete|erledigt|\
     voilà|hecho|готово|完成|完了",
);
pub const PLEASANT_BEGIN: Words = Words(
    "let me know|let me |i'll |i will |i'm going to|feel free|here's a |here is a |here's the |\
     happy to|if you'd like|based on |now i have|i now have|i have all|now let me|perfect|\
     you're absolutely right|great question|good question",
);

// What is to hold from now on.
pub const RULE_BEGIN: Words = Words(
    "from now on|going forward|in future, |in the future, |remember: |remember that |keep in mind that |\
     our convention|our rule |as a rule|by convention|in this repo we |in this project we |\
     in this codebase we |ab jetzt|ab sofort|künftig|in zukunft|merk dir|à partir de maintenant|\
     dorénavant|désormais|a partir de ahora|de ahora en adelante|recuerda que |d'ora in poi|\
     a partir de agora|отныне|впредь|今后|以后|从现在开始|今後|これから|앞으로",
);
pub const RULE: Words = Words(
    " from now on|, and never |and we never |and we always |we decided|we've decided|we have decided|we agreed |i decided |i've decided |\
     i prefer |we prefer |our convention is|wir haben entschieden|wir haben beschlossen|\
     wir haben uns für |nous avons décidé|on a décidé|hemos decidido|je préfère |prefiero |\
     мы решили|我们决定",
);
// What a team does, which is a rule where it says instead of what.
pub const HABIT_BEGIN: Words = Words(
    "we use |we only |we don't |we do not |we never |we always |wir benutzen |wir verwenden |\
     wir nehmen |nous utilisons |on utilise |usamos |no usamos ",
);
pub const INSTEAD: Words = Words(
    ", not |, never | instead of |rather than|we never |we always |, nicht |, nie |statt |, pas |\
     , jamais |, no |, nunca |en lugar de ",
);

// Verbs of sentences that report what others say.
pub const REPORTS: Words = Words(
    "says|said|say|wrote|writes|tells|told|claims|claimed|states|stated|suggests|suggested|\
     recommends|recommended|according|mentions|mentioned|reads|sagt|sagte|schreibt|schrieb|laut|\
     dit|écrit|selon|dice|dijo|según|говорит|пишет",
);
// Labels that people put before a rule of their own.
pub const OWN_LABEL: Words = Words(
    "note|also|rule|rules|remember|convention|conventions|important|please|fyi|ps|reminder|update|\
     correction|preference|style|decision|general|hinweis|regel|wichtig|nota|regla|importante|\
     règle|правило",
);

// A prompt of these words and the filler words below is small talk.
pub const SMALL_TALK: Words = Words(
    "hi|hello|hey|hallo|hola|salut|bonjour|moin|servus|thanks|thank|thx|ty|danke|merci|gracias|\
     grazie|obrigado|obrigada|спасибо|ありがとう|谢谢|cheers|bye|ciao|tschüss|great|cool|nice|awesome|\
     perfect|super|excellent",
);
pub const SMALL_TALK_FILLER: Words = Words(
    "you|so|much|very|a|lot|that|that's|is|it|all|for|now|today|everything|there|again|good|morning|\
     evening|night|job|work|well|done|the|help|dir|vielen|dank|schön|mucho|muchas|beaucoup|ok|okay",
);
// What is asked when there is nothing to ask.
pub const OFFERS: Words = Words(
    "what would you like|anything else|how can i help|is there anything|what else can|what's next|\
     what should we|what do you want to|wie kann ich helfen|sonst noch|en qué puedo|algo más|\
     que puis-je|autre chose",
);

// A prompt that only says to go on.
pub const GO_ON: Words = Words(
    "continue|go on|go ahead|proceed|keep going|carry on|next|yes|yes please|y|ok|okay|do it|please do|\
     weiter|weiter so|mach weiter|ja|ja bitte|continúa|sigue|sí|continue por favor|continuez|oui|\
     продолжай|да|继续|続けて|계속",
);
// Last words of somebody who is still at it, not a report.
pub const AT_IT: Words = Words(
    "let me |now let me |now i'll |i'll now |next, i'll |next i'll |now i will |i'm going to |\
     ich schaue |als nächstes schaue |ahora voy |voy a |je vais ",
);

// A sentence of a prompt that asks for something, whatever its verb.
pub const ASKS: Words = Words(
    "please|can you|could you|would you|i want|i need|i'd like|let's |we need|you should|bitte|\
     kannst du|könntest du|ich möchte|por favor|puedes|podrías|quiero|s'il te pla|s'il vous pla|\
     peux-tu|pouvez-vous|пожалуйста|можешь|请|ください",
);

pub const IMPERATIVE: Words = Words(
    "add|analyse|analyze|ask|build|change|check|clean|commit|compare|convert|copy|create|debug|delete|\
     deploy|describe|document|drop|explain|extend|find|fix|generate|get|give|have|improve|install|\
     investigate|list|look|make|measure|merge|migrate|move|open|optimise|optimize|port|publish|push|\
     put|read|reduce|release|remove|rename|replace|report|review|rewrite|run|search|set|show|split|\
     start|stop|summarise|summarize|tell|test|translate|try|turn|update|upgrade|use|work|write",
);

// True of any work that ended, and so no title.
pub const VACUOUS: Words = Words(
    "is complete|are complete|is done|are done|is finished|is in place|is implemented|all set|ist fertig|\
     ist erledigt|está listo|está lista|está hecho|est terminé|est prêt|готово",
);
// What somebody could not do is told with its subject.
pub const NEGATIVE: Words = Words(
    "was |wasn't |were |could not |couldn't |cannot |can't |did not |didn't |do not |don't |had |have |am ",
);

// What is said of errors by those who have none.
pub const OF_ERRORS: Words = Words(
    "format|formats|message|messages|handling|handler|handlers|code|codes|type|types|page|pages|\
     response|responses|boundary|boundaries|budget|budgets",
);

// What a prompt or a commit asks for: stems of verbs.
pub const FIX: Words = Words(
    "fix|bug|broken|crash|repair|hotfix|regress|fails|failing|panics|debug|wrong|incorrect|flaky|\
     resolve|corrig|répar|bogue|plante|reparier|beheb|fehler|kaputt|arregl|fallo|corrij|consert|\
     исправ|почин|ошибк|błąd|napraw",
);
pub const FEATURE: Words = Words(
    "implement|feature|introduc|scaffold|support|ajoute|crée|implémente|hinzu|füge|baue|erstelle|\
     ergänze|anlegen|lege |richte |añad|agreg|crea|adicion|реализ|добав|созда|dodaj|aggiung",
);
pub const REFACTOR: Words = Words(
    "refactor|rename|renaming|restructur|reorgani|simplif|dedup|tidy|inline|extract|decouple|\
     renomm|umbenenn|benenne|refaktor|aufräum|umstrukturier|renombr|переимен|рефактор",
);
// The same where words are not set apart.
pub const FIX_WIDE: Words = Words("修复|修正|バグ|直して|고쳐|버그|수정");
pub const FEATURE_WIDE: Words = Words("添加|实现|新增|增加|追加|実装|추가|구현");
pub const REFACTOR_WIDE: Words = Words("重构|重命名|リファクタ|리팩");

// Words with which a sentence leans on the one before it.
pub const LEANING: Words = Words(
    "it|this|that|they|these|those|here|yes|no|so|but|and|also|then|both|there|he|she|its|it's|\
     however|note|which|all|everything|otherwise|ok|good|you|if|see",
);
