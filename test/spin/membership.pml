/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules 1 to 9 of heartbeat/README.md, written a second time: three nodes, time in ticks, and somebody who
 * cuts, stalls and reboots. README.md of this folder says what is modelled, what is left out and how to run it.
 *
 * One transition is one tick: every node that is awake reads what the others have last said, decides, and says
 * its own. What a node says is its state, so there are no messages: a beat is read where it was made, as old as
 * it is, if the link carries it. All times are ages that stop counting where nobody asks further.
 *
 * -DSERVE: partition = "serve", else "quorum". -DFAULT1: an office without a lease never ends. -DFAULT2: a view
 * number does not name its author, and whoever says it has reported. -DBUDGET=n: faults at most.
 * -DSHAPES=n: the network's shapes 0 to n. -DCONVERGED: begins with a view of all three, else with none.
 * -DCUTS: no reboots and stalls.
 * -DSTIRRED=n: faults come only within n ticks after some node's role, vote, view, lease or life has changed, for
 * it is then that they do harm.
 */
#ifndef BUDGET
#define BUDGET 3
#endif
#ifndef STIRRED
#define STIRRED 0
#endif
#define N 3
#define LEADER_TIMEOUT 2
#define LEASE 7
#define DEAD_AFTER 9
#define NOBODY 3
#define MAXTERM 12 /* beyond it nothing is explored */

#define JOINING 0
#define FOLLOWING 1
#define SUPPORTING 2
#define STANDING 3
#define LEADING 4

#define P(n, i) ((n) * N + (i))
#define M(n, i, m) (((n) * N + (i)) * N + (m))

/* A node: what it has promised, and says. */
byte life[N], previous[N], role[N], choice[N], term[N], vote_term[N], vote_for[N], highest_term[N];
byte high_term[N], high_leader[N]; /* the highest leader that it hears, or is */
byte may_lead[N];
byte view_term[N], view_number[N], view_author[N], view_life[N * N]; /* the applied one; life 0: not in it */
byte done[N], installed[N];
byte lease[N];  /* its right to serve, in ticks */
byte tenure[N]; /* its office or place, in ticks: never shorter than the lease */
byte accepts[N]; /* buckets, as the filter has it; it does so while the lease runs */
/* Its clocks. */
byte started[N], listens[N], born[N], stood[N], office[N], silent[N], late[N];
byte led[N * N]; /* since the other was heard leading or standing as its choice */

/* What n knows of i: its last beat, and how old that is. */
byte p_life[N * N], p_previous[N * N], p_role[N * N], p_choice[N * N], p_term[N * N], p_vote_term[N * N],
    p_vote_for[N * N], p_high_term[N * N], p_high_leader[N * N], p_may_lead[N * N], p_member[N * N],
    p_view_term[N * N], p_view_number[N * N], p_view_author[N * N], p_view_life[N * N * N], p_done[N * N],
    p_left[N * N];
byte p_sent[N * N], p_counted[N * N], p_quoted[N * N], p_dumb[N * N], p_led_other[N * N], p_vouched[N * N];

byte asleep;             /* bits: nodes whose agent stands still, while the filter goes on */
byte shape;              /* of the network */
byte budget = BUDGET;
byte apart[N];           /* since the two others than this one could both hear each other (serve) */
bool over;
byte calm; /* ticks since a node last changed what it is or has promised */

/* Work of the moment: no part of the state. */
hidden byte i, k, m, n, best, best_term, best_life, votes, all_agree, gives_way, found, age, higher, heard_quiet;
hidden byte newest, newest_term, newest_number, newest_author, step_index, agreed, say;
hidden int was;

#define older(x, limit) x = ((x) < (limit) -> (x) + 1 : (x))
#define younger(x) x = ((x) > 0 -> (x) - 1 : 0)
#define bit(x) (1 << (x))

/* ---- The network: who hears whom. Shapes 0: all; 1-3: one node cut off; 4-6: deaf; 7-9: mute; 10-12: one pair. */
#define cut_node(x) (shape == 1 + (x))
#define deaf_node(x) (shape == 4 + (x))
#define mute_node(x) (shape == 7 + (x))
#define cut_pair(a, b) (shape >= 10 && shape - 10 != (a) && shape - 10 != (b))
#define hears(n, i) (!cut_node(n) && !cut_node(i) && !deaf_node(n) && !mute_node(i) && !cut_pair(n, i))

/* ---- Rule 1, and words for what was heard. */
#define member(n) (view_life[P(n, n)] != 0 && view_life[P(n, n)] == life[n])
#define present(n, i) (p_life[P(n, i)] != 0)
#define fresh(n, i, limit) (present(n, i) && p_sent[P(n, i)] < (limit))
#define counts(n, i, limit) (present(n, i) && p_counted[P(n, i)] < (limit))
#define in_touch(n, i) (counts(n, i, LEADER_TIMEOUT) && p_quoted[P(n, i)] < LEADER_TIMEOUT)
#define is_deaf(n, i) (present(n, i) && p_dumb[P(n, i)] >= 2 * DEAD_AFTER)
#define leads(n, i) (p_role[P(n, i)] == LEADING)
#define listening(n) (listens[n] < DEAD_AFTER)

#ifdef FAULT2
#define AUTHOR(x) 0
#else
#define AUTHOR(x) (N - (x)) /* of two with one number the lower id's is the higher, as of two leaders */
#endif
#define number(t, x, a) ((t) * 256 + (x) * 4 + AUTHOR(a))
#define own_number(n) number(view_term[n], view_number[n], view_author[n])
#define p_number(n, i) number(p_view_term[P(n, i)], p_view_number[P(n, i)], p_view_author[P(n, i)])

/* ---- Who owns which of six buckets, one for each order in which the nodes may come. */
#define first(n) (n == 0 -> 3 : (n == 1 -> 12 : 48))
#define lower(n) (n == 0 -> 1 : 0)
#define upper(n) (n == 2 -> 1 : 2)
#define owned(n)                                                                                                \
    (first(n) | (view_life[P(n, lower(n))] == 0 -> (n == 0 -> 4 : (n == 1 -> 1 : 2)) : 0) |                      \
     (view_life[P(n, upper(n))] == 0 -> (n == 0 -> 16 : (n == 1 -> 32 : 8)) : 0) |                               \
     (view_life[P(n, 0)] + view_life[P(n, 1)] + view_life[P(n, 2)] == view_life[P(n, n)]                          \
          -> (n == 0 -> 40 : (n == 1 -> 18 : 5)) : 0))

inline no_view(n) {
    view_term[n] = 0; view_number[n] = 0; view_author[n] = 0;
    for (m : 0 .. 2) { view_life[P(n, m)] = 0 }
    done[n] = 0; installed[n] = 0;
}

inline end_life(n) {
    if :: role[n] == LEADING -> led[P(n, n)] = 0 :: else fi;
    previous[n] = life[n];
    life[n] = life[n] + 1;
    born[n] = 0;
    for (m : 0 .. 2) {
        p_counted[P(n, m)] = DEAD_AFTER; p_quoted[P(n, m)] = DEAD_AFTER; p_dumb[P(n, m)] = 0
    }
    role[n] = JOINING; choice[n] = NOBODY; term[n] = 0;
    no_view(n);
    lease[n] = 0; tenure[n] = 0; accepts[n] = 0;
}

/* Rule 6, its first half: let go of what the view takes away; it stands in view_* already. */
inline applied(n) {
    installed[n] = 0;
    if :: member(n) -> accepts[n] = accepts[n] & owned(n) :: else fi
}

inline serve(n) { installed[n] = 1; accepts[n] = owned(n) }

/* ---- What n hears of i: recorded, nothing is decided. */
inline record(n, i) {
    if
    :: p_life[P(n, i)] != life[i] && p_life[P(n, i)] != 0 ->
        /* Another life: by its own word, after silence, or proven by a quote while the old one does not answer. */
        agreed = (previous[i] == p_life[P(n, i)]) || p_sent[P(n, i)] >= DEAD_AFTER ||
                 (p_counted[P(n, i)] >= DEAD_AFTER && p_life[P(i, n)] == life[n] && p_sent[P(i, n)] < DEAD_AFTER)
    :: else -> agreed = true
    fi;
    if
    :: agreed ->
        if
        :: p_life[P(n, i)] != life[i] ->
            p_life[P(n, i)] = life[i];
            p_counted[P(n, i)] = DEAD_AFTER; p_quoted[P(n, i)] = DEAD_AFTER; p_dumb[P(n, i)] = 0
        :: else
        fi;
        age = silent[i];
        p_sent[P(n, i)] = age;
        p_previous[P(n, i)] = previous[i];
        p_role[P(n, i)] = role[i]; p_choice[P(n, i)] = choice[i]; p_term[P(n, i)] = term[i];
        p_vote_term[P(n, i)] = vote_term[i]; p_vote_for[P(n, i)] = vote_for[i];
        p_high_term[P(n, i)] = high_term[i]; p_high_leader[P(n, i)] = high_leader[i];
        p_may_lead[P(n, i)] = may_lead[i];
        p_member[P(n, i)] = member(i);
        p_view_term[P(n, i)] = view_term[i]; p_view_number[P(n, i)] = view_number[i];
        p_view_author[P(n, i)] = view_author[i]; p_done[P(n, i)] = done[i];
        p_left[P(n, i)] = (lease[i] > 0 && role[i] == LEADING -> lease[i] + age : 0);
        for (m : 0 .. 2) {
            p_view_life[M(n, i, m)] = (role[i] != FOLLOWING -> view_life[P(i, m)] : 0)
        }
        /* How long ago it heard another leader of its choice. */
        p_led_other[P(n, i)] = DEAD_AFTER;
        for (m : 0 .. 2) {
            if
            :: m != choice[i] && led[P(i, m)] < p_led_other[P(n, i)] -> p_led_other[P(n, i)] = led[P(i, m)]
            :: else
            fi
        }
        /* It counts when it quotes a beat of mine, of this life, young enough. */
        if
        :: p_life[P(i, n)] == life[n] && p_sent[P(i, n)] < DEAD_AFTER ->
            p_counted[P(n, i)] = age; p_dumb[P(n, i)] = 0;
            if :: p_sent[P(i, n)] < p_quoted[P(n, i)] -> p_quoted[P(n, i)] = p_sent[P(i, n)] :: else fi
        :: else
        fi;
#ifdef SERVE
        k = 3 - n - i; /* a word for the third */
        if
        :: p_member[P(i, k)] && present(i, k) && !is_deaf(i, k) && p_sent[P(i, k)] < p_vouched[P(n, k)] ->
            p_vouched[P(n, k)] = p_sent[P(i, k)]
        :: else
        fi;
#endif
        if :: i == choice[n] && role[i] >= STANDING -> led[P(n, i)] = age :: else fi;
        if :: term[i] > highest_term[n] -> highest_term[n] = term[i] :: else fi;
        if :: vote_term[i] > highest_term[n] -> highest_term[n] = vote_term[i] :: else fi;
        if :: high_term[i] > highest_term[n] -> highest_term[n] = high_term[i] :: else fi;
        if :: member(i) && view_term[i] > highest_term[n] -> highest_term[n] = view_term[i] :: else fi
    :: else
    fi
}

/* ---- Rule 4, its end: what was granted has run out. An office or place that never got a lease ends, too. */
inline expire(n) {
    if
    :: (member(n) || role[n] == LEADING) && tenure[n] == 0 -> end_life(n)
    :: else
    fi
}
#ifdef FAULT1
#define NEW_TENURE 255
#else
#define NEW_TENURE LEASE
#endif

/* ---- Rules 2 and 3: whom to follow, support, vote for; to stand and to win. */
#define can_follow(n, i)                                                                                        \
    (i != n && counts(n, i, LEADER_TIMEOUT) && leads(n, i) && p_term[P(n, i)] >= vote_term[n] &&                 \
     !(member(n) && p_number(n, i) < own_number(n)))
#ifdef SERVE
#define may_follow(n) true
#else
#define may_follow(n) (started[n] >= DEAD_AFTER)
#endif

inline look_for_leader(n) {
    best = NOBODY; best_term = 0;
    if
    :: role[n] == FOLLOWING && can_follow(n, choice[n]) -> best = choice[n]
    :: else ->
        for (i : 0 .. 2) {
            if
            :: can_follow(n, i) && in_touch(n, i) && (best == NOBODY || p_term[P(n, i)] > best_term) ->
                best = i; best_term = p_term[P(n, i)]
            :: else
            fi
        }
    fi
}

inline look_for_candidate(n) {
    votes = 1; /* in touch, itself included */
    for (i : 0 .. 2) { if :: i != n && in_touch(n, i) -> votes++ :: else fi }
#ifdef SERVE
    votes = N;
#endif
    may_lead[n] = (2 * votes > N && !listening(n) && late[n] == 0);
    best = (may_lead[n] -> n : NOBODY);
    for (i : 0 .. 2) {
        if
        :: i != n && counts(n, i, LEADER_TIMEOUT) && p_may_lead[P(n, i)] && i < best -> best = i
        :: else
        fi
    }
}

inline listen_to_quiet(n) { /* no node that serves was heard within leader_timeout */
    heard_quiet = 1;
    for (i : 0 .. 2) {
        if :: i != n && fresh(n, i, LEADER_TIMEOUT) && p_member[P(n, i)] -> heard_quiet = 0 :: else fi
    }
}

#define doubt(n, i) (member(n) && view_life[P(n, i)] != 0 -> LEADER_TIMEOUT : DEAD_AFTER)
#define has_a_say(n, i)                                                                                         \
    (counts(n, i, LEADER_TIMEOUT)                                                                               \
         -> (!member(n) || !(p_role[P(n, i)] == JOINING && !p_member[P(n, i)]))                                  \
         : (!is_deaf(n, i) && ((present(n, i) && p_member[P(n, i)] && p_sent[P(n, i)] < doubt(n, i)) ||          \
                               p_vouched[P(n, i)] < doubt(n, i))))

inline ask(n, agrees) {
    votes = 1; all_agree = 1;
    for (i : 0 .. 2) {
        if
        :: i != n ->
            agreed = in_touch(n, i) && (agrees);
            say = has_a_say(n, i);
            if
            :: agreed -> votes++
            :: else -> if :: say -> all_agree = 0 :: else fi
            fi
        :: else
        fi
    }
#ifdef SERVE
    listen_to_quiet(n);
    found = all_agree && (votes > 1 || heard_quiet)
#else
    found = (2 * votes > N)
#endif
}

inline take_office(n) {
    newest = (member(n) -> n : NOBODY);
    newest_number = 0;
    for (i : 0 .. 2) { /* a member's view, shown by who leads or has no leader */
        if
        :: i != n && counts(n, i, LEADER_TIMEOUT) && p_member[P(n, i)] && p_role[P(n, i)] != FOLLOWING &&
           (newest == NOBODY -> true : (newest == n -> p_number(n, i) > own_number(n)
                                                    : p_number(n, i) > p_number(n, newest))) -> newest = i
        :: else
        fi
    }
    if
    :: member(n) && newest != n && p_view_life[M(n, newest, n)] != life[n] -> end_life(n)
    :: else ->
        for (m : 0 .. 2) {
            view_life[P(n, m)] = (newest == NOBODY -> 0 : (newest == n -> view_life[P(n, m)]
                                                                      : p_view_life[M(n, newest, m)]))
        }
        view_term[n] = term[n]; view_number[n] = 1; view_author[n] = n;
        office[n] = 0; done[n] = 0;
        role[n] = LEADING; choice[n] = n;
        applied(n)
    fi
}

inline stand(n) {
    if
    :: role[n] == STANDING && stood[n] >= LEADER_TIMEOUT -> role[n] = SUPPORTING; choice[n] = n
    :: else
    fi;
    if
    :: role[n] != STANDING && late[n] == 0 ->
        ask(n, p_role[P(n, i)] == SUPPORTING && p_choice[P(n, i)] == n);
        if
        :: found ->
            highest_term[n]++; term[n] = highest_term[n];
            vote_term[n] = term[n]; vote_for[n] = n;
            stood[n] = 0;
            role[n] = STANDING; choice[n] = n;
            if :: tenure[n] < lease[n] || !member(n) -> tenure[n] = NEW_TENURE :: else fi
        :: else
        fi
    :: else
    fi;
    if
    :: role[n] == STANDING ->
        ask(n, p_vote_term[P(n, i)] == vote_term[n] && p_vote_for[P(n, i)] == n);
        if :: found -> take_office(n) :: else fi
    :: else
    fi
}

/* Rule 9. */
inline give_way(n) {
    gives_way = 0;
    for (i : 0 .. 2) { /* outvoted */
        if
        :: i != n && in_touch(n, i) && (p_role[P(n, i)] == SUPPORTING || p_role[P(n, i)] == STANDING) &&
           p_vote_term[P(n, i)] > term[n] -> gives_way = 1
        :: else
        fi
    }
    if
    :: gives_way -> role[n] = JOINING; choice[n] = NOBODY
    :: else ->
        higher = n; best_term = term[n];
        for (i : 0 .. 2) {
            if
            :: i != n && in_touch(n, i) ->
                k = p_high_leader[P(n, i)];
                if
                :: k != n && k != NOBODY && (p_high_term[P(n, i)] > best_term ||
                                             (p_high_term[P(n, i)] == best_term && k < higher)) ->
                    higher = k; best_term = p_high_term[P(n, i)]
                :: else
                fi;
                if
                :: leads(n, i) && (p_term[P(n, i)] > best_term || (p_term[P(n, i)] == best_term && i < higher)) ->
                    higher = i; best_term = p_term[P(n, i)]
                :: else
                fi
            :: else
            fi
        }
        if
        :: higher == n
        :: else ->
            if
            :: fresh(n, higher, LEADER_TIMEOUT) && (!leads(n, higher) || p_term[P(n, higher)] < best_term)
            :: fresh(n, higher, LEADER_TIMEOUT) && leads(n, higher) && p_term[P(n, higher)] >= best_term &&
               p_number(n, higher) > own_number(n) && p_view_life[M(n, higher, n)] == life[n] ->
                gives_way = 1; role[n] = JOINING; choice[n] = NOBODY
            :: else -> end_life(n); gives_way = 1
            fi
        fi
    fi
}

inline choose(n) {
    gives_way = 1;
    if :: role[n] == LEADING -> give_way(n) :: else fi;
    look_for_candidate(n);
    if
    :: gives_way ->
        m = best; /* the candidate */
        newest = m;
        look_for_leader(n);
        if
        :: best != NOBODY && may_follow(n) ->
            role[n] = FOLLOWING; choice[n] = best; term[n] = p_term[P(n, best)];
            led[P(n, best)] = p_sent[P(n, best)]
        :: else ->
            if
            :: listening(n) -> role[n] = JOINING; choice[n] = NOBODY; term[n] = 0
            :: else ->
                best = newest;
                if
                :: best != n || role[n] != STANDING -> role[n] = SUPPORTING; choice[n] = best
                :: else
                fi;
                if
                :: best == n -> stand(n)
                :: best != n && best != NOBODY && p_role[P(n, best)] == STANDING &&
                   p_term[P(n, best)] > vote_term[n] ->
                    vote_term[n] = p_term[P(n, best)]; vote_for[n] = best
                :: else
                fi
            fi
        fi
    :: else
    fi
}

/* ---- Rules 5 and 6, a follower's part. */
inline follow_view(n) {
    if
    :: role[n] == FOLLOWING ->
        i = choice[n];
        if
        :: p_view_life[M(n, i, n)] != life[n] -> if :: member(n) -> end_life(n) :: else fi
        :: else ->
            if
            :: p_number(n, i) > own_number(n) || !member(n) ->
                if :: !member(n) -> tenure[n] = NEW_TENURE :: else fi;
                view_term[n] = p_view_term[P(n, i)]; view_number[n] = p_view_number[P(n, i)];
                view_author[n] = p_view_author[P(n, i)];
                for (m : 0 .. 2) { view_life[P(n, m)] = p_view_life[M(n, i, m)] }
                applied(n)
            :: else
            fi;
            if :: p_done[P(n, i)] && p_number(n, i) == own_number(n) && !installed[n] -> serve(n) :: else fi
        fi
    :: else
    fi
}

/* ---- Rules 5 and 6, the leader's part. */
inline look_at_grace(n) { /* age: since a leader before this one was heard, here or by a peer */
    age = DEAD_AFTER;
    for (i : 0 .. 2) {
        if :: i != choice[n] && led[P(n, i)] < age -> age = led[P(n, i)] :: else fi;
        if :: i != n && present(n, i) && p_led_other[P(n, i)] < age -> age = p_led_other[P(n, i)] :: else fi
    }
}
#define grace_over (age >= DEAD_AFTER)

#define may_remove(n, i)                                                                                        \
    (i == n -> view_life[P(n, i)] != life[n]                                                                    \
     : ((p_life[P(n, i)] != view_life[P(n, i)] && p_previous[P(n, i)] == view_life[P(n, i)]) ||                  \
        (late[n] == 0 &&                                                                                        \
         (p_life[P(n, i)] > view_life[P(n, i)] ||                                                               \
          (p_life[P(n, i)] == view_life[P(n, i)] -> p_sent[P(n, i)] : office[n]) >= DEAD_AFTER ||                \
          (p_life[P(n, i)] == view_life[P(n, i)] && is_deaf(n, i))))))
#define may_add(n, i)                                                                                           \
    (i == n -> late[n] == 0                                                                                     \
     : counts(n, i, LEADER_TIMEOUT) && p_role[P(n, i)] == FOLLOWING && p_choice[P(n, i)] == n &&                 \
           p_term[P(n, i)] == term[n])
#ifdef FAULT2
#define reports_to(n, i) true
#else
#define reports_to(n, i) (p_role[P(n, i)] == FOLLOWING && p_choice[P(n, i)] == n && p_term[P(n, i)] == term[n])
#endif

inline lead(n) {
    look_at_grace(n);
    if
    :: role[n] == LEADING && grace_over -> /* before, it changes nothing */
        found = 0;
        for (i : 0 .. 2) {
            if
            :: view_life[P(n, i)] != 0 -> if :: may_remove(n, i) -> view_life[P(n, i)] = 0; found = 1 :: else fi
            :: else ->
                if
                :: may_add(n, i) -> view_life[P(n, i)] = (i == n -> life[n] : p_life[P(n, i)]); found = 1
                :: else
                fi
            fi
        }
        if :: found -> view_number[n]++; view_author[n] = n; done[n] = 0; applied(n) :: else fi;
        if
        :: !done[n] ->
            all_agree = 1;
            for (i : 0 .. 2) {
                if
                :: i != n && view_life[P(n, i)] != 0 &&
                   !(p_life[P(n, i)] == view_life[P(n, i)] && p_member[P(n, i)] && p_number(n, i) == own_number(n) &&
                     reports_to(n, i)) -> all_agree = 0
                :: else
                fi
            }
            if
            :: all_agree -> done[n] = 1; if :: member(n) -> serve(n) :: else fi
            :: else
            fi
        :: else
        fi
    :: else
    fi;
    if :: role[n] == LEADING -> led[P(n, n)] = 0 :: else fi
}

/* ---- Rule 4: the lease. */
inline extend_lease(n) {
    age = 0; /* granted */
    if
    :: role[n] == LEADING ->
        found = 0;
        for (i : 0 .. 2) {
            if
            :: i != n && counts(n, i, LEADER_TIMEOUT) && p_quoted[P(n, i)] < LEASE &&
               p_role[P(n, i)] == FOLLOWING && p_choice[P(n, i)] == n && p_term[P(n, i)] == term[n] ->
                found = 1;
                if :: LEASE - p_quoted[P(n, i)] > age -> age = LEASE - p_quoted[P(n, i)] :: else fi
            :: else
            fi
        }
#ifdef SERVE
        listen_to_quiet(n);
        if :: !found && heard_quiet && late[n] == 0 -> age = LEASE :: else fi
#endif
    :: role[n] == FOLLOWING && member(n) ->
        i = choice[n];
        age = (p_left[P(n, i)] < LEASE -> p_left[P(n, i)] : LEASE);
        age = (age > p_quoted[P(n, i)] -> age - p_quoted[P(n, i)] : 0)
    :: else
    fi;
    if :: age > lease[n] -> lease[n] = age :: else fi;
    if
    :: lease[n] > 0 && (lease[n] > tenure[n] || tenure[n] == 255) -> tenure[n] = lease[n]
    :: else
    fi
}

/* ---- One node's turn. */
inline turn(n) {
    if
    :: silent[n] > 1 && started[n] > 1 -> late[n] = 2
    :: else
    fi;
    expire(n);
    for (i : 0 .. 2) {
        if :: i != n && hears(n, i) && silent[i] < DEAD_AFTER -> record(n, i) :: else fi
    }
    listen_to_quiet(n);
    if /* outside the view, it hears who serves, and nobody hears it */
    :: !member(n) && born[n] >= LEADER_TIMEOUT && !heard_quiet ->
        found = 0;
        for (i : 0 .. 2) { if :: i != n && counts(n, i, LEADER_TIMEOUT) -> found = 1 :: else fi }
        if :: !found -> listens[n] = 0 :: else fi
    :: else
    fi;
    choose(n);
    follow_view(n);
    lead(n);
    extend_lease(n);
    /* Said with the beat. */
    high_term[n] = 0; high_leader[n] = NOBODY;
    if :: role[n] == LEADING -> high_term[n] = term[n]; high_leader[n] = n :: else fi;
    for (i : 0 .. 2) {
        if
        :: i != n && in_touch(n, i) && leads(n, i) &&
           (p_term[P(n, i)] > high_term[n] || (p_term[P(n, i)] == high_term[n] && i < high_leader[n])) ->
            high_term[n] = p_term[P(n, i)]; high_leader[n] = i
        :: else
        fi
    }
    silent[n] = 0;
    if :: highest_term[n] > MAXTERM -> over = true :: else fi
}

inline time_passes() {
    for (n : 0 .. 2) {
        younger(lease[n]);
        if :: tenure[n] != 255 -> younger(tenure[n]) :: else fi;
        younger(late[n]);
        older(started[n], DEAD_AFTER); older(listens[n], DEAD_AFTER); older(born[n], LEADER_TIMEOUT);
        older(stood[n], LEADER_TIMEOUT); older(office[n], DEAD_AFTER); older(silent[n], DEAD_AFTER);
        for (i : 0 .. 2) {
            older(led[P(n, i)], DEAD_AFTER);
            older(p_sent[P(n, i)], DEAD_AFTER); older(p_counted[P(n, i)], DEAD_AFTER);
            older(p_quoted[P(n, i)], DEAD_AFTER); older(p_dumb[P(n, i)], 2 * DEAD_AFTER);
            older(p_led_other[P(n, i)], DEAD_AFTER); older(p_vouched[P(n, i)], DEAD_AFTER)
        }
    }
}

/* ---- P1. In `serve` two that could not hear each other are excused, and for a while after. */
#define serves(n) (lease[n] > 0 && member(n) -> accepts[n] : 0)
#ifdef SERVE
#ifndef AMNESTY
#define AMNESTY 12
#endif
#define excused(a, b) (apart[3 - (a) - (b)] < AMNESTY)
#else
#define excused(a, b) false
#endif
inline judge() {
    assert(excused(0, 1) || (serves(0) & serves(1)) == 0);
    assert(excused(0, 2) || (serves(0) & serves(2)) == 0);
    assert(excused(1, 2) || (serves(1) & serves(2)) == 0)
}

/* ---- Who does harm. */
inline forget(n) {
    no_view(n);
    life[n] = life[n] + 1;
    previous[n] = 0;
    role[n] = JOINING; choice[n] = NOBODY; term[n] = 0;
    vote_term[n] = 0; vote_for[n] = 0; highest_term[n] = 0; high_term[n] = 0; high_leader[n] = NOBODY;
    may_lead[n] = 0; lease[n] = 0; tenure[n] = 0; accepts[n] = 0;
    started[n] = 0; listens[n] = 0; born[n] = 0; stood[n] = 0; office[n] = 0; silent[n] = DEAD_AFTER; late[n] = 0;
    asleep = asleep & (7 - bit(n));
    for (i : 0 .. 2) {
        k = P(n, i);
        led[k] = DEAD_AFTER;
        p_life[k] = 0; p_previous[k] = 0; p_role[k] = 0; p_choice[k] = 0; p_term[k] = 0; p_vote_term[k] = 0;
        p_vote_for[k] = 0; p_high_term[k] = 0; p_high_leader[k] = 0; p_may_lead[k] = 0; p_member[k] = 0;
        p_view_term[k] = 0; p_view_number[k] = 0; p_view_author[k] = 0; p_done[k] = 0; p_left[k] = 0;
        p_sent[k] = DEAD_AFTER; p_counted[k] = DEAD_AFTER; p_quoted[k] = DEAD_AFTER; p_dumb[k] = 0;
        p_led_other[k] = DEAD_AFTER; p_vouched[k] = DEAD_AFTER;
        for (m : 0 .. 2) { p_view_life[M(n, i, m)] = 0 }
    }
}

#define promised(n)                                                                                             \
    (role[n] + 8 * choice[n] + 32 * term[n] + 512 * vote_term[n] + 8192 * view_number[n] + 131072 * life[n] +     \
     (installed[n] + 2 * done[n] + 4 * (lease[n] > 0)) * 8388608)

inline round_of(first_one, second_one, third_one) {
    time_passes();
    older(calm, STIRRED);
    for (step_index : 0 .. 2) {
        n = (step_index == 0 -> first_one : (step_index == 1 -> second_one : third_one));
        if
        :: (asleep & bit(n)) == 0 ->
            was = promised(n);
            turn(n);
            if :: promised(n) != was -> calm = 0 :: else fi;
            judge()
        :: else
        fi
    };
#ifdef SERVE
    for (n : 0 .. 2) {
        i = lower(n); k = upper(n);
        if :: hears(i, k) && hears(k, i) -> older(apart[n], AMNESTY) :: else -> apart[n] = 0 fi
    };
#endif
}

#ifndef SHAPES
#define SHAPES 9
#endif

init {
    d_step {
        for (n : 0 .. 2) {
            forget(n);
            started[n] = DEAD_AFTER; listens[n] = DEAD_AFTER;
#ifdef SERVE
            apart[n] = AMNESTY;
#endif
        };
        skip
    }
#ifdef CONVERGED
    byte ticks;
    do
    :: ticks < 3 * DEAD_AFTER -> d_step { ticks++; round_of(0, 1, 2); skip }
    :: else -> break
    od;
    ticks = 0;
    calm = 0; /* faults may begin */
    assert(serves(0) == 3 && serves(1) == 12 && serves(2) == 48);
#endif
    do
    :: budget > 0 && !over && (STIRRED == 0 || calm < STIRRED) -> atomic {
        budget--;
        if
        :: shape != 0 && 0 <= SHAPES -> shape = 0
        :: shape != 1 && 1 <= SHAPES -> shape = 1
        :: shape != 2 && 2 <= SHAPES -> shape = 2
        :: shape != 3 && 3 <= SHAPES -> shape = 3
        :: shape != 4 && 4 <= SHAPES -> shape = 4
        :: shape != 5 && 5 <= SHAPES -> shape = 5
        :: shape != 6 && 6 <= SHAPES -> shape = 6
        :: shape != 7 && 7 <= SHAPES -> shape = 7
        :: shape != 8 && 8 <= SHAPES -> shape = 8
        :: shape != 9 && 9 <= SHAPES -> shape = 9
        :: shape != 10 && 10 <= SHAPES -> shape = 10
        :: shape != 11 && 11 <= SHAPES -> shape = 11
        :: shape != 12 && 12 <= SHAPES -> shape = 12
#ifndef CUTS
        :: d_step { forget(0); skip }
        :: d_step { forget(1); skip }
        :: d_step { forget(2); skip }
        :: d_step { forget(0); forget(1); skip }
        :: d_step { forget(0); forget(2); skip }
        :: d_step { forget(1); forget(2); skip }
        :: (asleep & 1) == 0 -> asleep = asleep | 1
        :: (asleep & 2) == 0 -> asleep = asleep | 2
        :: (asleep & 4) == 0 -> asleep = asleep | 4
#endif
        fi }
    :: (asleep & 1) != 0 -> asleep = asleep & 6
    :: (asleep & 2) != 0 -> asleep = asleep & 5
    :: (asleep & 4) != 0 -> asleep = asleep & 3
    :: !over -> d_step { round_of(0, 1, 2); skip }
    od
}
