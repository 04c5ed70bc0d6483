<?php
// Keeps what is sent to it beside itself, as an application does with its uploads, and shows what it has.
if ($_SERVER['REQUEST_METHOD'] === 'POST') file_put_contents('uploads/kept', file_get_contents('php://input'));
echo file_exists('uploads/kept') ? file_get_contents('uploads/kept') : 'nothing yet', "\n";
