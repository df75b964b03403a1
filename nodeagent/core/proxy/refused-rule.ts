/** Why a rule cannot be in force. */
export class RefusedRule extends Error {}
