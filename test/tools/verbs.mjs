/**
 * Verbs that may name a function by themselves, or begin the name of one that acts. ESLint refuses `written`, `readable` and `table`
 * as whole names, and `eventsOf` for a function that fetches them. Add a verb here when you need it.
 */
export const VERBS = `
  act add announce answer answers approve ask assemble attach attempt attend automate back become benchmark
  bind bring build call can cancel carries change check choose clean clear climb close collect
  comment commit connect contact contains copy count covers create declare define delete describe
  destroy diagnose dial diff differs discard do download draft draw drop end ensure equal erase
  examine execute expire fail fence fetch find fits flush fold forget forward gather get grant guard
  has hash holds import inline inspect install interpret is join judge keep launch lay learn link
  list listen load locate look loosen main make measure meet merge move need omit open operate order
  outlive overlaps paint parse pass perform pin pipe place plan plant poll post prefix prepare preview print
  probe proxy publish push put read receive record recover redact refuse rehearse reject reloads
  remove render repeat replace report require resolve restarts restore resume reveal route run
  salvage save say scan scrub seed select send serve set settle show sign signal skip splice split
  start stop succeed summarize survey suspend take tell terminate trust try unpack update validate
  visit wait waive waives wake warn write
`
  .trim()
  .split(/\s+/);
