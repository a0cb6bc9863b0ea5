#!/bin/sh
echo "made by $1" > made
