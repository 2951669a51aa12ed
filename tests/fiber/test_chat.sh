#!/usr/bin/env bash
# edo-test: once
# The same guests as in net/test_chat.sh, in the chat of fibers.
CHAT=fiber-chat exec bash "$(dirname "$0")/../net/test_chat.sh"
