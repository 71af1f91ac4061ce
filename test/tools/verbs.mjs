/**
 * Verbs that may name a function by themselves. ESLint refuses any other single word: `written`, `readable` and `table` do not say
 * what the function does. Add a verb here when you need it.
 */
export const VERBS = `
  act add announce answer approve ask assemble attach attempt automate bind build call
  cancel carries check choose clean clear climb close collect comment commit connect
  contains copy count covers create declare define delete describe diagnose dial diff
  differs discard download draft draw drop end ensure equal erase examine execute expire
  fail fence fetch find fits flush fold forget forward gather get grant guard has holds
  inline inspect interpret join judge keep launch list listen locate look loosen main make
  meet merge need omit open operate order overlaps paint parse pass perform pipe place plant
  poll post prepare preview print probe proxy publish push put read receive record recover
  redact refuse rehearse reloads remove render repeat replace report resolve restarts
  restore reveal route run salvage say scrub send serve set settle show sign skip splice
  split start stop succeed summarize survey take tell terminate trust update validate visit
  waive waives warn write
`
  .trim()
  .split(/\s+/);
