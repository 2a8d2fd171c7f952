/** Names of who runs strategies. Each strategy of a process has one of its own there: `HOST-PID-PLACE-RANDOM`. */

/** What the names that one process has are known by; another form of name stands for itself. */
export function processOf(instance: string): string {
  return /^(.+-\d+-(?:[0-9a-f]{16}|unknown))-[0-9a-f]{16}$/.exec(instance)?.[1] ?? instance;
}

/** What a person calls it: `HOST-PID`. */
export function shortInstance(instance: string): string {
  return /^(.+-\d+)-(?:[0-9a-f]{16}|unknown)(?:-[0-9a-f]{16})?$/.exec(instance)?.[1] ?? instance;
}
