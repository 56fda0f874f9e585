// SPDX-License-Identifier: Apache-2.0
#include "systemd_notify.hpp"

#include <systemd/sd-daemon.h>

#include <usher/core/printable.hpp>

namespace usher {

void notify_ready()
{
    sd_notify(0, "READY=1");
}

void notify_stopping()
{
    sd_notify(0, "STOPPING=1");
}

void notify_status(std::string const& sentence)
{
    sd_notify(0, ("STATUS=" + printable(sentence)).c_str());
}

} // namespace usher
