/* How usage gets from the queue to Amberflo, for SPIN: an event with two usages in one chunk or two, two workers, two
 * people. README.md says what each part mirrors, what is left out, how to run it and what it found.
 *
 * Each step is one effect that others can see: a request arrives at Amberflo, or the message or an item changes. Between
 * any two of them a worker or a person may stop (STOP_…), and then begins again, knowing nothing.
 */

#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef PEOPLE
#define PEOPLE 2
#endif
#define BOTH 3
#define SET(u) (1 << (u))
#define HAS(set, u) ((set) & SET(u))

/* ---- Amberflo ------------------------------------------------------------------------------------------------------
 * A record is a usage (0 or 1) in a form: 0 as it was reported, 1 as a person edited it. */

mtype:record = { unknown, counted, cancelled };
mtype:verdict = { countable, invalid, refused };
mtype:answer = { silence, accepted, turned_down };

#define RECORD(u, form) ((u) * 2 + (form))
#define IS_BAD(r) (verdict[r] != countable)
#define NO_RECORD 7

mtype:record record[4] = unknown;
/* Chosen at the start: countable, invalid by our own checks, or refused by Amberflo with all others of the request. It
 * stays the same, which is an assumption: see README.md. */
mtype:verdict verdict[4] = countable;
byte late = NO_RECORD;      /* a record that nobody waits for any more, and that may still arrive */
bool counted_again = false; /* a record counted that was counted or cancelled before */

/* Amberflo knows the records that it has, also those that were cancelled. */
inline arrive(r) {
  if
  :: record[r] == unknown -> record[r] = counted
#ifdef NO_DEDUPLICATION
  :: record[r] == counted -> counted_again = true
#endif
#ifdef CANCELLATION_FORGETS
  :: record[r] == cancelled -> counted_again = true
#endif
  :: else
  fi
}

/* Send one record. If there is no answer, it may have arrived, may still arrive, or never will. */
inline send(r) {
#ifdef VERDICT_IMPROVES
  if
  :: IS_BAD(r) -> verdict[r] = countable /* its meter was created */
  :: true
  fi;
#endif
#ifdef VERDICT_WORSENS
  if
  :: !IS_BAD(r) -> verdict[r] = invalid /* its meter was deleted, or it is too old by now */
  :: true
  fi;
#endif
  if
  :: !IS_BAD(r) -> arrive(r); reply = accepted
  :: !IS_BAD(r) -> arrive(r); reply = silence
#ifdef LATE
  :: !IS_BAD(r) && late == NO_RECORD -> late = r; reply = silence
#endif
  :: IS_BAD(r) -> reply = turned_down
  :: reply = silence
  fi
}

/* ---- SQS -----------------------------------------------------------------------------------------------------------
 * One message has both usages. While it is queued it can be received at any time, also by two workers at once: its
 * visibility timeout ends, or SQS or EventBridge delivers it twice. After any number of receives it may be dead. */

bool queued = true;
byte dead = 0;              /* its copies in the dead-letter queue */
bool event_dropped = false; /* says the item of the event itself in the rejected table */

/* ---- The rejected table -------------------------------------------------------------------------------------------- */

mtype:status = { absent, rejected, redriving, redriven, dropped };

mtype:status status[2] = absent;
bit form[2] = 0;
/* The condition of every write: the item of usage 0 is as this person has read it. In the product that is its status
 * and the length of its history, which only grows. */
bool as_read[2] = false;

#ifdef UNCONDITIONAL_WRITES
#define IS_AS_READ true
#else
#define IS_AS_READ as_read[me]
#endif

/* ---- The property -------------------------------------------------------------------------------------------------- */

#define ARRIVED(u) (record[RECORD(u, 0)] != unknown || record[RECORD(u, 1)] != unknown)
#define IN_TABLE(u) (status[u] == rejected || status[u] == redriving || status[u] == dropped)

#define NOT_LOST(u) (ARRIVED(u) || IN_TABLE(u) || queued || dead || event_dropped)
#define NOT_TWICE(u) (record[RECORD(u, 0)] == unknown || record[RECORD(u, 1)] == unknown)
/* What the table says is true: rejected and dropped usage did not count, redriven usage did. Of redriving usage it says
 * that nobody knows. */
#define IS_TRUE(u) \
  (!((status[u] == rejected || status[u] == dropped) && ARRIVED(u)) && \
   !(status[u] == redriven && record[RECORD(u, form[u])] == unknown))
#define SAFE(u) (NOT_LOST(u) && NOT_TWICE(u) && IS_TRUE(u))

/* Each goal is to be reached, so that the property does not hold only because nothing happens. */
#define COUNTED (!queued && record[0] == counted && record[2] == counted)
#define COUNTED_AS_EDITED (!queued && status[0] == redriven && record[1] == counted)
#define COUNTED_AND_UNKNOWN (status[0] == redriving && record[1] == counted)
#define CANCELLED (!queued && record[0] == cancelled)
#define REJECTED (!queued && status[0] == rejected && status[1] == rejected)
#define REJECTED_AND_COUNTED (!queued && status[0] == rejected && record[2] == counted)
#define DROPPED (!queued && status[0] == dropped)
#define IS_DEAD (!queued && dead && !ARRIVED(0) && !IN_TABLE(0))
#define DEAD_AND_COUNTED (!queued && dead && record[0] == counted && !ARRIVED(1))
#define EVENT_DROPPED (!queued && !dead && event_dropped && !ARRIVED(0) && !IN_TABLE(0))
#define EVENT_DROPPED_AND_COUNTED (!queued && !dead && event_dropped && ARRIVED(0) && !ARRIVED(1))

#ifdef GOAL
ltl property { [] !(GOAL) }
#else
ltl property { [] (SAFE(0) && SAFE(1) && !counted_again) }
#endif

/* ---- ingest_queue, and the executions of ingest_usage that it starts ----------------------------------------------- */

inline send_usage(u) {
  send(RECORD(u, 0));
  if
  :: reply == accepted
  :: reply == turned_down -> bad = bad | SET(u)
  :: reply == silence -> silent = true
  fi;
  reply = silence
}

inline save(u) {
  bad = bad & ~SET(u);
  if
#ifdef OVERWRITE_REJECTED
  :: status[u] = rejected; form[u] = 0
#else
  :: status[u] == absent -> status[u] = rejected
  :: else /* a redelivery must not undo what a person has done since */
#endif
  fi
}

#define IS_REFUSED(u) (HAS(bad, u) && verdict[RECORD(u, 0)] == refused)
#define STOP_WORKER chunk = 0; next_chunk = 0; bad = 0; silent = false; failed = false; goto receive

proctype worker() {
  byte chunk, next_chunk; /* sets of usages */
  byte bad;               /* those of the chunk that have to be saved */
  bool silent;            /* there was no answer for one of the chunk */
  bool failed;            /* a chunk failed: the message has to be delivered again */
  mtype:answer reply = silence;

receive:
  atomic {
    queued;
    if
#ifdef DEAD
    :: dead < 2 -> dead++; queued = false; goto receive
#endif
    :: chunk = BOTH
    :: chunk = SET(0); next_chunk = SET(1)
    fi
  }
#ifdef ACK_BEFORE_SEND
  queued = false;
#endif

send_chunk: /* SendForCaller, SendInBackground */
  if
  :: atomic {
      if
      :: HAS(chunk, 0) -> send_usage(0)
      :: else
      fi;
      if
      :: HAS(chunk, 1) -> send_usage(1)
      :: else
      fi;
      if
      :: chunk == BOTH && (IS_REFUSED(0) || IS_REFUSED(1)) -> silent = false; bad = 0
      :: else -> goto answered
      fi
    }
  :: atomic { STOP_WORKER }
  fi;

  if /* SendOneByOne */
  :: atomic { send_usage(0) }
  :: atomic { STOP_WORKER }
  fi;
  if
  :: atomic {
      send_usage(1);
answered:
      if
      :: silent -> silent = false; bad = 0; goto send_chunk /* a retry */
      :: silent -> silent = false; bad = 0; failed = true
      :: !silent
      fi
    }
  :: atomic { STOP_WORKER }
  fi;

save_rejected: /* SaveRejectedUsages */
#ifdef NO_SAVE
  bad = 0;
#else
  if
  :: atomic { HAS(bad, 0) -> save(0); goto save_rejected }
  :: atomic { HAS(bad, 1) -> save(1); goto save_rejected }
  :: atomic { bad -> bad = 0; failed = true } /* DynamoDB does not answer */
  :: atomic { STOP_WORKER }
  :: !bad
  fi;
#endif
  atomic {
    chunk = next_chunk;
    next_chunk = 0;
    if
    :: chunk -> goto send_chunk
    :: else
    fi;
    if /* the batch response: the message is deleted if none of its chunks failed */
#ifdef ACK_FAILED_CHUNK
    :: queued = false
#else
    :: !failed -> queued = false
#endif
    :: true
    fi;
    STOP_WORKER
  }
}

/* ---- A person with metering rejected, or the console, at the item of usage 0 ---------------------------------------- */

#define STOP_PERSON as_read[me] = false; was = absent; sent_form = 0; reply = silence; goto read_item
#define CHANGED as_read[1 - me] = false
#ifdef EDIT_WHILE_SENT
#define CAN_EDIT IS_AS_READ
#else
#define CAN_EDIT (was == rejected && IS_AS_READ)
#endif
#ifdef DROP_WHILE_SENT
#define CAN_DROP IS_AS_READ
#else
#define CAN_DROP (was == rejected && IS_AS_READ)
#endif

proctype person(bit me) {
  mtype:status was = absent;
  bit sent_form; /* the form that this person has read, and sends */
  mtype:answer reply = silence;

read_item:
  atomic { status[0] == rejected || status[0] == redriving -> as_read[me] = true; was = status[0]; sent_form = form[0] }
act:
  if
  :: atomic { CAN_EDIT -> sent_form = 1 - sent_form; form[0] = sent_form; CHANGED; goto act }
  :: atomic { CAN_DROP -> status[0] = dropped; CHANGED; STOP_PERSON }
  :: atomic { IS_AS_READ -> status[0] = redriving; form[0] = sent_form; CHANGED } /* redrive: claim it */
  :: atomic { STOP_PERSON }
  fi;
#ifdef READ_AFTER_WRITE /* the item is read once more, and the later writes depend on that */
  if
  :: as_read[me] = true
  :: atomic { STOP_PERSON }
  fi;
#endif
send_again:
  if
  :: atomic {
#ifdef NEW_IDENTITY_ON_REDRIVE
      counted_again = counted_again || ARRIVED(0);
#endif
      send(RECORD(0, sent_form));
      if
      :: reply == silence -> goto send_again
#ifdef UNKNOWN_IS_REJECTED
      :: reply == silence -> reply = turned_down
#endif
      :: reply != silence
      fi
    }
  :: atomic { STOP_PERSON }
  fi;
  if
  :: atomic { IS_AS_READ && reply == accepted -> status[0] = redriven; CHANGED; STOP_PERSON }
  :: atomic { IS_AS_READ && reply == turned_down -> status[0] = rejected; CHANGED; STOP_PERSON }
  :: atomic { STOP_PERSON }
  fi
}

/* ---- A person with metering dead ----------------------------------------------------------------------------------- */

proctype dead_letters() {
  do
#ifdef DELETE_BEFORE_SEND
  :: dead -> dead--;
    if
    :: atomic { queued = true; event_dropped = false }
    :: true
    fi
#else
  :: atomic { dead -> queued = true } /* redrive: send it, save it as redriven, delete it */
    if
    :: event_dropped = false;
      if
      :: dead--
      :: true
      fi
    :: true
    fi
#endif
  :: atomic { dead -> event_dropped = true } /* drop: save it as dropped, delete it */
    if
    :: dead--
    :: true
    fi
  od
}

/* ---- What happens at any time -------------------------------------------------------------------------------------- */

proctype second_delivery() { /* by EventBridge, or by a sender that repeats its event */
  do
  :: !queued -> queued = true
  od
}

proctype late_request() {
  do
  :: atomic { late != NO_RECORD -> arrive(late); late = NO_RECORD }
  :: late != NO_RECORD -> late = NO_RECORD
  od
}

proctype cancellation() { /* metering usage cancel: usage that is on its way or was counted */
  if
  :: atomic { !IS_BAD(0) -> record[0] = cancelled }
  :: atomic { record[1] == counted -> record[1] = cancelled }
  fi
}

init {
  atomic {
    if
    :: true
    :: verdict[RECORD(0, 0)] = invalid
    :: verdict[RECORD(0, 0)] = refused
    fi;
    if
    :: true
    :: IS_BAD(RECORD(0, 0)) -> verdict[RECORD(0, 1)] = refused
    fi;
    if
    :: true
    :: verdict[RECORD(1, 0)] = refused
    fi;
    run second_delivery();
    run worker();
#if WORKERS > 1
    run worker();
#endif
#if PEOPLE > 0
    run person(0);
#endif
#if PEOPLE > 1
    run person(1);
#endif
#ifdef DEAD
    run dead_letters();
#endif
#ifdef LATE
    run late_request();
#endif
#ifdef CANCEL
    run cancellation()
#endif
  }
}
