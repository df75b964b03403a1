#!/usr/bin/env node
import '../dist/plumb.mjs';
