// SPDX-License-Identifier: Apache-2.0
//
// The layout, written once as a template over "put" and "take", so that the two directions cannot
// differ. Everything is in network byte order; lengths are checked before, ranges after each field
// is read. README.md has the table.
#include "heartbeat/codec.hpp"

#include "heartbeat/membership.hpp"

#include <sodium.h>

#include <algorithm>
#include <concepts>
#include <type_traits>

namespace heartbeat {
namespace {

constexpr std::array<std::uint8_t, 4> kMagic = {'n', 'l', 'b', 'd'};
constexpr std::size_t kTagSize = 16;
constexpr std::size_t kHeaderSize = 4 + 1 + 8; // magic, version, cluster
constexpr std::size_t kMaxSections = 80;

// Digests of what can be guessed, such as names and ports: without the key, an eavesdropper must not be able
// to test guesses. So each is hidden by a number that belongs to the key, the beat and the place in it.
class Mask {
  public:
    Mask() = default; // hides nothing
    explicit Mask(const BeatKey &key) : hides_(true) {
        constexpr std::string_view kPurpose = "digests in beats";
        crypto_generichash(key_.data(), key_.size(),
                           reinterpret_cast<const unsigned char *>(kPurpose.data()), kPurpose.size(),
                           key.data(), key.size());
    }
    void begin(Life life, Sequence sequence) { from_ = {life, sequence, 0}; }
    std::uint64_t next() {
        std::uint64_t mask = 0;
        if (!hides_) return mask;
        ++from_[2];
        crypto_shorthash(reinterpret_cast<unsigned char *>(&mask),
                         reinterpret_cast<const unsigned char *>(from_.data()), sizeof from_,
                         key_.data());
        return mask;
    }

  private:
    bool hides_ = false;
    std::array<std::uint8_t, crypto_shorthash_KEYBYTES> key_{};
    std::array<std::uint64_t, 3> from_{};
};

template <class T>
concept Scalar = std::unsigned_integral<T> || std::is_enum_v<T>;

class Writer {
  public:
    std::vector<std::uint8_t> bytes;
    Mask mask;
    bool ok() const { return true; }

    void number(std::uint64_t value, unsigned size) {
        for (unsigned i = size; i-- > 0;)
            bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    }
    template <Scalar T>
    void field(const T &value, T) {
        number(static_cast<std::uint64_t>(value), sizeof(T));
    }
    template <class T>
    void list(const std::vector<T> &items, std::size_t) {
        number(items.size(), 1);
    }
    void six_bytes(const std::uint64_t &value) { number(value, 6); }
    template <Scalar T>
    void digest(const T &value) {
        number(value ^ mask.next(), sizeof(T));
    }
    void optional(const std::optional<View> &view) { number(view.has_value(), 1); }
};

class Reader {
  public:
    explicit Reader(std::span<const std::uint8_t> bytes) : rest_(bytes) {}
    Mask mask;
    bool ok() const { return ok_; }
    bool finished() const { return ok_ && rest_.empty(); }

    std::uint64_t number(unsigned size) {
        if (rest_.size() < size) {
            ok_ = false;
            return 0;
        }
        std::uint64_t value = 0;
        for (unsigned i = 0; i < size; ++i)
            value = value << 8 | rest_[i];
        rest_ = rest_.subspan(size);
        return value;
    }
    template <Scalar T>
    void field(T &value, T most) {
        const std::uint64_t read = number(sizeof(T));
        ok_ = ok_ && read <= static_cast<std::uint64_t>(most);
        value = ok_ ? static_cast<T>(read) : T{};
    }
    template <class T>
    void list(std::vector<T> &items, std::size_t most) {
        const std::uint64_t count = number(1);
        ok_ = ok_ && count <= most;
        items.assign(ok_ ? count : 0, T{});
    }
    void six_bytes(std::uint64_t &value) { value = number(6); }
    template <Scalar T>
    void digest(T &value) {
        value = static_cast<T>(number(sizeof(T)) ^ mask.next());
    }
    void optional(std::optional<View> &view) {
        const std::uint64_t present = number(1);
        ok_ = ok_ && present <= 1;
        if (ok_ && present) view.emplace();
    }

  private:
    std::span<const std::uint8_t> rest_;
    bool ok_ = true;
};

constexpr NodeId kLastNode{kMaxNodes};
template <class T>
constexpr T any = static_cast<T>(~T{});

template <class Io, class T>
void integer(Io &io, T &value) {
    io.field(value, any<std::remove_const_t<T>>);
}
template <class Io, class T>
void flag(Io &io, T &value) {
    std::uint8_t byte = value;
    io.field(byte, std::uint8_t{1});
    if constexpr (!std::is_const_v<T>) value = byte;
}

template <class Io, class TimeLike>
void time(Io &io, TimeLike &value) {
    auto count = static_cast<std::uint64_t>(value.count());
    integer(io, count);
    if constexpr (!std::is_const_v<TimeLike>) value = Time(static_cast<std::int64_t>(count));
}
// A beat's is that of a machine's uptime: what a clock can show, so that no sum with it overflows.
template <class Io, class TimeLike>
void clock(Io &io, TimeLike &value) {
    auto count = static_cast<std::uint64_t>(value.count());
    io.field(count, std::uint64_t{1} << 61);
    if constexpr (!std::is_const_v<TimeLike>) value = Time(static_cast<std::int64_t>(count));
}

template <class Io, class NumberLike>
void view_number(Io &io, NumberLike &number) {
    io.six_bytes(number.term);
    io.field(number.leader, kLastNode);
    io.six_bytes(number.number);
}

template <class Io, class ElectorateLike>
void electorate(Io &io, ElectorateLike &value) {
    io.six_bytes(value.term);
    io.field(value.leader, kLastNode);
    integer(io, value.step);
    io.six_bytes(value.made_term);
    integer(io, value.made_step);
    integer(io, value.nodes);
    integer(io, value.former);
}

template <class Io, class ViewLike>
void view_fields(Io &io, ViewLike &view) {
    view_number(io, view.number);
    io.digest(view.config);
    io.list(view.members, kMaxNodes);
    for (auto &member : view.members) {
        io.field(member.id, kLastNode);
        integer(io, member.life);
        io.field(member.weight, std::uint8_t{100});
        integer(io, member.eligible);
    }
}

template <class Io, class BeatLike>
void beat_fields(Io &io, BeatLike &beat) {
    io.field(beat.sender, kLastNode);
    integer(io, beat.life);
    integer(io, beat.previous);
    io.six_bytes(beat.sequence);
    io.mask.begin(beat.life, beat.sequence);
    clock(io, beat.clock);
    io.field(beat.state, NodeState::dead);
    io.field(beat.weight, std::uint8_t{100});
    integer(io, beat.eligible);
    integer(io, beat.healthy);
    io.field(beat.role, Role::leading);
    io.field(beat.choice, kLastNode);
    io.six_bytes(beat.term);
    flag(io, beat.may_lead);
    io.six_bytes(beat.vote.term);
    io.field(beat.vote.candidate, kLastNode);
    io.six_bytes(beat.highest.term);
    io.field(beat.highest.leader, kLastNode);
    io.six_bytes(beat.led.term);
    io.field(beat.led.leader, kLastNode);
    integer(io, beat.led_ago_ms);
    integer(io, beat.formerly_led_ago_ms);
    view_number(io, beat.applied);
    flag(io, beat.done);
    integer(io, beat.lease_left_ms);
    io.digest(beat.config);
    io.digest(beat.staged);
    integer(io, beat.staged_eligible);
    integer(io, beat.staged_healthy);
    io.list(beat.sections, kMaxSections);
    for (auto &section : beat.sections)
        io.digest(section);
    electorate(io, beat.electorate);
    io.digest(beat.ownership);
    for (auto &word : beat.lingering)
        integer(io, word);
    integer(io, beat.connections);
    integer(io, beat.hears_at_clients);
    for (auto &octet : beat.mac)
        integer(io, octet);
    io.list(beat.quotes, kMaxNodes);
    for (auto &quote : beat.quotes) {
        io.field(quote.peer, kLastNode);
        integer(io, quote.life);
        io.six_bytes(quote.sequence);
        integer(io, quote.active_ago_ms);
    }
    io.optional(beat.view);
    if (beat.view) view_fields(io, *beat.view);
}

template <class Io, class OptionalTime>
void optional_time(Io &io, OptionalTime &value) {
    bool there = value.has_value();
    flag(io, there);
    Time then = value.value_or(Time{});
    time(io, then);
    if constexpr (!std::is_const_v<OptionalTime>)
        if (there) value = then;
}

template <class Io, class SavedLike>
void saved_fields(Io &io, SavedLike &saved) {
    time(io, saved.started);
    integer(io, saved.life);
    integer(io, saved.previous);
    integer(io, saved.sequence);
    integer(io, saved.highest_term);
    integer(io, saved.vote.term);
    io.field(saved.vote.candidate, kLastNode);
    io.field(saved.led.leader, kLastNode);
    integer(io, saved.led.term);
    time(io, saved.led.when);
    optional_time(io, saved.formerly_led);
    flag(io, saved.installed);
    flag(io, saved.serving);
    optional_time(io, saved.lease_until);
    view_fields(io, saved.view);
}

// Identifiers that have to be there, ascending so that none is there twice, and life 0, which no
// node has.
template <class T, class Id>
bool ascending(const std::vector<T> &items, Id id) {
    NodeId last = kNoNode;
    for (const T &item : items) {
        if (item.*id <= last || item.life == 0) return false;
        last = item.*id;
    }
    return true;
}

bool consistent(const Beat &beat) {
    if (beat.sender == kNoNode || beat.life == 0 || !ascending(beat.quotes, &Quote::peer))
        return false;
    const Electorate &its = beat.electorate;
    if ((its.step != 0) != (its.nodes != 0) || (its.step != 0) != (its.made_step != 0)) return false;
    if (!beat.view) return beat.role != Role::leading;
    return beat.view->number.leader != kNoNode && ascending(beat.view->members, &Member::id);
}

std::array<std::uint8_t, kTagSize> tag(std::span<const std::uint8_t> bytes, const BeatKey &key) {
    std::array<std::uint8_t, kTagSize> result{};
    crypto_generichash(result.data(), result.size(), bytes.data(), bytes.size(), key.data(),
                       key.size());
    return result;
}

// Of a datagram that is long enough to hold a tag.
bool sealed_with(const BeatKey &key, std::span<const std::uint8_t> datagram) {
    const auto sum = tag(datagram.first(datagram.size() - kTagSize), key);
    return sodium_memcmp(sum.data(), datagram.last(kTagSize).data(), kTagSize) == 0;
}

} // namespace

Envelope make_envelope(std::string_view cluster_name, const BeatKey &key,
                       const std::optional<BeatKey> &other) {
    Envelope envelope{.cluster = 0, .key = key, .other = other};
    std::array<std::uint8_t, 16> digest{};
    crypto_generichash(digest.data(), digest.size(),
                       reinterpret_cast<const unsigned char *>(cluster_name.data()),
                       cluster_name.size(), nullptr, 0);
    for (unsigned i = 0; i < 8; ++i)
        envelope.cluster = envelope.cluster << 8 | digest[i];
    return envelope;
}

std::string_view to_string(Refusal refusal) {
    static constexpr std::array<std::string_view, kRefusals> kNames = {
        "too_short",       "too_long", "foreign_protocol", "foreign_cluster",
        "other_version", "bad_tag",  "malformed",        "own_echo",
        "id_taken",        "replayed", "superseded",       "unknown_node"};
    return kNames[static_cast<std::size_t>(refusal)];
}

std::vector<std::uint8_t> seal(const Beat &beat, const Envelope &envelope) {
    Writer writer;
    writer.mask = Mask(envelope.key);
    writer.bytes.reserve(kMaxDatagram);
    writer.bytes.insert(writer.bytes.end(), kMagic.begin(), kMagic.end());
    writer.number(kProtocolVersion, 1);
    writer.number(envelope.cluster, 8);
    beat_fields(writer, beat);
    const auto sum = tag(writer.bytes, envelope.key);
    writer.bytes.insert(writer.bytes.end(), sum.begin(), sum.end());
    return std::move(writer.bytes);
}

NodeId claimed_sender(std::span<const std::uint8_t> datagram) {
    return datagram.size() > kHeaderSize ? NodeId{datagram[kHeaderSize]} : kNoNode;
}

std::variant<Beat, Refusal> open(std::span<const std::uint8_t> datagram, const Envelope &envelope) {
    if (datagram.size() < kHeaderSize + kTagSize) return Refusal::too_short;
    if (datagram.size() > kMaxDatagram) return Refusal::too_long;
    if (!std::equal(kMagic.begin(), kMagic.end(), datagram.begin()))
        return Refusal::foreign_protocol;
    Reader reader(datagram.first(datagram.size() - kTagSize).subspan(5));
    if (reader.number(8) != envelope.cluster) return Refusal::foreign_cluster;
    if (datagram[4] != kProtocolVersion) return Refusal::other_version;
    const BeatKey *key = sealed_with(envelope.key, datagram) ? &envelope.key : nullptr;
    if (!key && envelope.other && sealed_with(*envelope.other, datagram)) key = &*envelope.other;
    if (!key) return Refusal::bad_tag;
    reader.mask = Mask(*key);
    Beat beat;
    beat_fields(reader, beat);
    if (!reader.finished() || !consistent(beat)) return Refusal::malformed;
    return beat;
}

namespace {

constexpr std::uint8_t kSavedVersion = 3;

void put_header(Writer &writer, NodeId self) {
    writer.number(kSavedVersion, 1);
    writer.number(index(self), 1);
}

} // namespace

std::vector<std::uint8_t> pack(const Saved &saved, NodeId self) {
    Writer writer;
    put_header(writer, self);
    saved_fields(writer, saved);
    return std::move(writer.bytes);
}

std::optional<Saved> unpack(std::span<const std::uint8_t> bytes, NodeId self) {
    Writer header;
    put_header(header, self);
    if (bytes.size() < header.bytes.size() ||
        !std::equal(header.bytes.begin(), header.bytes.end(), bytes.begin()))
        return std::nullopt;
    Reader reader(bytes.subspan(header.bytes.size()));
    Saved saved;
    saved_fields(reader, saved);
    if (!reader.finished() || !ascending(saved.view.members, &Member::id)) return std::nullopt;
    if (!std::ranges::equal(pack(saved, self), bytes)) return std::nullopt; // pack wrote no such thing
    return saved;
}

} // namespace heartbeat
