// SPDX-License-Identifier: Apache-2.0
#include "filter/nft/nftables.hpp"

#include "filter/failure.hpp"

#include <cerrno>
#include <memory>
#include <nftables/libnftables.h>
#include <stdexcept>

namespace filter::nft {

std::string nft(const std::string &what, const std::string &commands) {
    const std::unique_ptr<nft_ctx, void (*)(nft_ctx *)> context(nft_ctx_new(NFT_CTX_DEFAULT),
                                                                nft_ctx_free);
    if (!context) fail(what, ENOMEM);
    nft_ctx_buffer_output(context.get());
    nft_ctx_buffer_error(context.get());
    nft_ctx_output_set_flags(context.get(),
                             NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_NUMERIC_ALL);
    if (nft_run_cmd_from_buffer(context.get(), commands.c_str()) == 0)
        return nft_ctx_get_output_buffer(context.get());
    const std::string error = nft_ctx_get_error_buffer(context.get());
    throw std::runtime_error(what + ": nftables: " + error.substr(0, error.find('\n')));
}

} // namespace filter::nft
