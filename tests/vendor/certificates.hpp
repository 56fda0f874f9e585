// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include <usher/core/time.hpp>

#include "vendor/model.hpp"

namespace usher::vendor {

struct Identity {
    std::string certificate_pem;
    std::string key_pem;
};

struct Certificates {
    std::string ca_pem; ///< What clients are to trust.
    std::map<Certificate, Identity> servers;
};

/// Makes an authority and a server certificate of each kind, with new keys. All but the expired one are valid from
/// a day before `now` to ten years after it.
Certificates make_certificates(sys_seconds now);

} // namespace usher::vendor
