// SPDX-License-Identifier: Apache-2.0
//
// In these tests the skeleton's memory of a map is never the map: libbpf from 1.5 gives such memory
// for a map that was taken over from a predecessor, earlier ones do not. A datapath that writes its
// tables there writes where no program reads, and with an earlier library no other test would see
// it.
#include "host.hpp"

#include <boost/test/unit_test.hpp>
#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <vector>

namespace {

std::vector<std::vector<char>> given_instead; // as long as the process lives
std::vector<std::uint32_t> rings;             // bytes of each, as the object asks for them

} // namespace

// In the place of libbpf's own function of this name, which it calls.
extern "C" int bpf_object__load_skeleton(bpf_object_skeleton *skeleton) {
    using Load = int (*)(bpf_object_skeleton *);
    const auto load = reinterpret_cast<Load>(dlsym(RTLD_NEXT, "bpf_object__load_skeleton"));
    const auto map_of = [&](int i) -> const bpf_map_skeleton & { // later versions' are longer
        char *entry = reinterpret_cast<char *>(skeleton->maps) + i * skeleton->map_skel_sz;
        return *reinterpret_cast<bpf_map_skeleton *>(entry);
    };
    for (int i = 0; i < skeleton->map_cnt; i++)
        if (bpf_map__type(*map_of(i).map) == BPF_MAP_TYPE_RINGBUF)
            rings.push_back(bpf_map__max_entries(*map_of(i).map));
    const int error = load(skeleton);
    for (int i = 0; error == 0 && i < skeleton->map_cnt; i++) {
        const bpf_map_skeleton &map = map_of(i);
        if (!map.mmaped || !*map.mmaped) continue;
        given_instead.emplace_back(bpf_map__value_size(*map.map));
        *map.mmaped = given_instead.back().data();
    }
    return error;
}

BOOST_AUTO_TEST_CASE(the_tables_are_not_where_the_library_maps_them) {
    const std::size_t before = given_instead.size();
    BOOST_TEST(!attach()->flaw());
    BOOST_TEST(given_instead.size() > before); // else this is not tested here
}

// The kernel takes a ring of whole pages alone; those of arm64 have 4, 16 or 64 KiB.
BOOST_AUTO_TEST_CASE(rings_are_whole_pages_of_every_size) {
    rings.clear();
    attach();
    BOOST_TEST(rings.size() == 3u);
    for (const std::uint32_t bytes : rings)
        BOOST_TEST(bytes % (64 * 1024) == 0u);
}
